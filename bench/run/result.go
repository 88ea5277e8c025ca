package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Result is what came of one row.
type Result struct {
	Row    string `json:"row"`
	What   string `json:"what"`
	Beside string `json:"beside"`
	// Records is how many packages the channel had, Meant how many it should have had.
	Records int      `json:"records,omitempty"`
	Meant   int      `json:"meant,omitempty"`
	Setup   Setup    `json:"setup"`
	Lines   []Line   `json:"lines"`
	Notes   []string `json:"notes,omitempty"`
}

// fileOf is the file of a row.
func fileOf(dir, row string) string { return filepath.Join(dir, "results", row+".json") }

func (r Result) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "results"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(fileOf(dir, r.Row), append(b, '\n'), 0o644)
}

// read returns the results that are kept, in the order of the table.
func read(dir string) (results []Result, err error) {
	for _, r := range rows() {
		b, err := os.ReadFile(fileOf(dir, r.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var kept Result
		if err = errors.Join(err, json.Unmarshal(b, &kept)); err != nil {
			return nil, err
		}
		results = append(results, kept)
	}
	return results, nil
}
