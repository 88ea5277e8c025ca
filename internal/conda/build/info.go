package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"sluice/internal/conda"
)

// file is one file of the package; open gives its bytes from the start, every time the same.
type file struct {
	path string
	mode int64
	size int64
	open func() io.Reader
}

func memoryFile(path string, data []byte) file {
	f := file{path: path, mode: 0o644, size: int64(len(data)), open: func() io.Reader { return bytes.NewReader(data) }}
	if strings.HasPrefix(path, "bin/") {
		f.mode = 0o755
	}
	return f
}

// trees returns the files to install and those below info/, each sorted by path.
func (p Package) trees() (payload, info []file, err error) {
	for _, path := range slices.Sorted(maps.Keys(p.Files)) {
		payload = append(payload, memoryFile(path, p.Files[path]))
	}
	if p.Noise > 0 {
		payload = append(payload, p.noise())
		slices.SortFunc(payload, func(a, b file) int { return strings.Compare(a.path, b.path) })
	}
	made, err := p.infoFiles(payload)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(made, p.Info)
	for _, path := range slices.Sorted(maps.Keys(made)) {
		if made[path] != nil {
			info = append(info, memoryFile("info/"+path, made[path]))
		}
	}
	return payload, info, nil
}

// noise is the file of Noise bytes that do not compress, the same for the same package name.
func (p Package) noise() file {
	seed := sha256.Sum256([]byte(p.Name))
	return file{
		path: "share/" + p.Name + "/noise", mode: 0o644, size: p.Noise,
		open: func() io.Reader { return io.LimitReader(rand.NewChaCha8(seed), p.Noise) },
	}
}

// infoFiles makes what stands below info/ (CEP 34).
func (p Package) infoFiles(payload []file) (map[string][]byte, error) {
	paths, list, err := describe(payload)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{"files": []byte(list)}
	content := map[string]any{"index.json": p.index(), "about.json": p.about(), "paths.json": paths}
	if !p.RunExports.IsZero() {
		content["run_exports.json"] = runExports(p.RunExports)
	}
	for name, v := range content {
		if out[name], err = encode(v); err != nil {
			return nil, fmt.Errorf("info/%s: %w", name, err)
		}
	}
	return out, nil
}

// encode writes v as people expect these files, indented, with matchspecs' '<' and '>' as they are.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return buf.Bytes(), err
}

// index is info/index.json: the record as the builder knows it.
func (p Package) index() map[string]any {
	m := compact(map[string]any{
		"license": p.License, "noarch": p.Noarch, "timestamp": p.TimestampMS, "constrains": p.Constrains,
	})
	m["name"], m["version"], m["build"] = p.Name, p.Version, p.Build
	m["build_number"], m["subdir"] = p.BuildNumber, p.Subdir
	m["depends"] = append([]string{}, p.Depends...)
	return m
}

func (p Package) about() map[string]any {
	return compact(map[string]any{
		"home": p.About.Home, "dev_url": p.About.DevURL, "doc_url": p.About.DocURL,
		"summary": p.About.Summary, "description": p.About.Description, "license": p.License,
	})
}

func runExports(e conda.RunExports) map[string]any {
	return compact(map[string]any{
		"weak": e.Weak, "strong": e.Strong, "noarch": e.Noarch,
		"weak_constrains": e.WeakConstrains, "strong_constrains": e.StrongConstrains,
	})
}

// compact leaves out empty values.
func compact(m map[string]any) map[string]any {
	maps.DeleteFunc(m, func(_ string, v any) bool {
		switch v := v.(type) {
		case string:
			return v == ""
		case int64:
			return v == 0
		case []string:
			return len(v) == 0
		}
		return false
	})
	return m
}

// entry is one file in info/paths.json.
type entry struct {
	Path   string `json:"_path"`
	Type   string `json:"path_type"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size_in_bytes"`
}

// describe makes info/paths.json and the older info/files.
func describe(payload []file) (paths map[string]any, list string, err error) {
	entries := []entry{}
	var lines strings.Builder
	for _, f := range payload {
		sum := sha256.New()
		if _, err := io.Copy(sum, f.open()); err != nil {
			return nil, "", fmt.Errorf("hash %s: %w", f.path, err)
		}
		entries = append(entries, entry{f.path, "hardlink", hex.EncodeToString(sum.Sum(nil)), f.size})
		lines.WriteString(f.path + "\n")
	}
	return map[string]any{"paths": entries, "paths_version": 1}, lines.String(), nil
}
