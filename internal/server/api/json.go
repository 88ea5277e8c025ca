package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sluice/internal/fault"
)

// marshal writes an answer in one piece. That the caller is gone by then is nobody's failure.
func marshal(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(b.Bytes())
	return nil
}

// unmarshal reads a body strictly. encoding/json alone would take a second value for the same field, take
// NAME for name, and mend broken UTF-8: three ways for two readers of one request to disagree.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := checkValue(dec, maxDepth); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return json.Unmarshal(data, v)
}

// maxDepth bounds how deep a body nests; ours need two levels.
const maxDepth = 10

// checkValue reads one JSON value, at most depth levels deep, and refuses what no caller of ours sends on
// purpose.
func checkValue(dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	if err != nil {
		return notJSON(err)
	}
	if depth == 0 {
		return errors.New("the JSON is nested too deep")
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return checkObject(dec, depth-1)
		}
		return checkArray(dec, depth-1)
	case string:
		if strings.ContainsRune(t, 0) {
			return errors.New("a string holds a NUL character") // PostgreSQL cannot keep one
		}
	}
	return nil
}

func checkObject(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return notJSON(err)
		}
		key, _ := t.(string) // the decoder gives nothing else here
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || key == "" {
			return fmt.Errorf("there is no field %q: names are lower case", fault.OneLine(key, maxShown))
		}
		if seen[key] {
			return fmt.Errorf("the field %q is there twice", key)
		}
		seen[key] = true
		if err := checkValue(dec, depth); err != nil {
			return err
		}
	}
	return end(dec)
}

func checkArray(dec *json.Decoder, depth int) error {
	for dec.More() {
		if err := checkValue(dec, depth); err != nil {
			return err
		}
	}
	return end(dec)
}

// end takes the closing bracket.
func end(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return notJSON(err)
	}
	return nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	return fmt.Errorf("this is not JSON: %w", err)
}
