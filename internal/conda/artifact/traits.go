package artifact

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"sluice/internal/conda"
)

// pathEntry is what is kept of one file to install.
type pathEntry struct {
	path        string
	mode        string // "binary" or "text"
	placeholder bool   // the mode says how to replace it
}

// traits tells what installing the file takes beside laying it down, by the same rules as conda-index: a
// script is known by its path alone, wherever the package brings it.
func (e pathEntry) traits() (t conda.Traits) {
	switch {
	case strings.HasPrefix(e.path, "etc/conda/activate.d"):
		t |= conda.Activates
	case strings.HasPrefix(e.path, "etc/conda/deactivate.d"):
		t |= conda.Deactivates
	}
	if _, hidden, ok := strings.Cut(e.path, "/."); ok {
		for _, script := range linkScripts {
			if strings.Contains(hidden, script.infix) {
				t |= script.trait
			}
		}
	}
	switch {
	case e.placeholder && e.mode == "binary":
		t |= conda.BinaryPrefix
	case e.placeholder && e.mode == "text":
		t |= conda.TextPrefix
	}
	return t
}

// linkScripts are the scripts of CEP 34 that lie beside programs, as bin/.NAME-post-link.sh.
var linkScripts = [...]struct {
	infix string
	trait conda.Traits
}{{"-pre-link.", conda.PreLinks}, {"-post-link.", conda.PostLinks}, {"-pre-unlink.", conda.PreUnlinks}}

// readPathsJSON checks a paths.json of any length like checkJSON. It counts what its list of paths holds
// and joins the traits of all.
func readPathsJSON(r io.Reader) (files int, t conda.Traits, err error) {
	list := &pathList{}
	s := &scanner{r: bufio.NewReaderSize(r, bufferSize), list: list}
	err = s.document(false)
	return list.files, list.traits, err
}

// pathList gathers what a scanner sees in the list of paths of a paths.json.
type pathList struct {
	files  int
	traits conda.Traits
	entry  pathEntry // the one being read
}

// wants reports whether the text of that key of an entry is to be kept.
func (l *pathList) wants(key string) bool {
	return key == "_path" || key == "file_mode" || key == "prefix_placeholder"
}

// text takes a text that it wanted.
func (l *pathList) text(key, s string) {
	switch key {
	case "_path":
		l.entry.path = s
	case "file_mode":
		l.entry.mode = s
	default:
		l.entry.placeholder = s != ""
	}
}

// end ends an entry.
func (l *pathList) end() {
	l.traits |= l.entry.traits()
	l.entry = pathEntry{}
}

// readFiles reads info/files, which very old packages have for paths.json: a path a line.
func readFiles(r io.Reader) (t conda.Traits, err error) {
	err = eachLine(r, func(line string) { t |= pathEntry{path: line}.traits() })
	return t, err
}

// readHasPrefix reads info/has_prefix, which goes with info/files: a line is PLACEHOLDER MODE PATH, or a path
// alone, which means text.
func readHasPrefix(r io.Reader) (t conda.Traits, err error) {
	err = eachLine(r, func(line string) {
		e := pathEntry{placeholder: true, mode: "text"}
		if words := strings.Fields(line); len(words) > 2 && words[1] == "binary" {
			e.mode = words[1]
		}
		t |= e.traits()
	})
	return t, err
}

// eachLine calls do for each line that is not blank.
func eachLine(r io.Reader, do func(line string)) error {
	lines := bufio.NewScanner(r) // lines of 64 KiB at most
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			do(line)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return over("it has a line of more than %d bytes, which is the limit here", bufio.MaxScanTokenSize)
	}
	return lines.Err()
}
