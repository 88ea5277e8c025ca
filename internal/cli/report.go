package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// jsonReport opens where the lines of JSON of --report go: a file, the standard output for -, or nowhere, which is nil.
func jsonReport(name string, standard io.Writer) (out *json.Encoder, done func() error, err error) {
	w := standard
	done = func() error { return nil }
	switch name {
	case "":
		return nil, done, nil
	case "-":
	default:
		f, err := os.Create(name)
		if err != nil {
			return nil, nil, fmt.Errorf("report: %w", err)
		}
		buffered := bufio.NewWriter(f)
		w, done = buffered, func() error { return errors.Join(buffered.Flush(), f.Close()) }
	}
	out = json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out, done, nil
}
