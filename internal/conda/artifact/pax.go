package artifact

import (
	"io"
	"strconv"
	"strings"
)

// maxExtended bounds an extended header. Real ones have a path, and perhaps attributes of the file system.
const maxExtended = 1 << 20

// extended is what an extended header says of the entry after it. Only that a link's target was given
// matters, not the target: links may lead where they like.
type extended struct {
	path   string
	linked bool
}

// extended reads the extended header whose kind is x (pax), L or K (GNU: long path, long link).
func (t *tarReader) extended(kind byte) (extended, error) {
	if t.left == 0 || t.left > maxExtended {
		return extended{}, bad("the tar has an extended header of %d bytes", t.left)
	}
	b, err := io.ReadAll(t)
	if err != nil {
		return extended{}, err
	}
	text := string(b)
	switch kind {
	case 'K':
		return extended{linked: true}, nil
	case 'L':
		text = strings.TrimRight(text, "\x00")
		if text == "" || strings.Contains(text, "\x00") {
			return extended{}, bad("the tar has a long path that is empty or holds a zero byte")
		}
		return extended{path: text}, nil
	}
	return parsePax(text)
}

// parsePax reads the records of a pax header, each "LENGTH KEY=VALUE\n". It refuses those that change
// where the next entry begins (CVE-2025-62518 was about a size that one header had and the other not) or
// what its bytes mean. Times, owners and attributes do not matter.
func parsePax(text string) (e extended, err error) {
	for text != "" {
		key, value, rest, ok := paxRecord(text)
		text = rest
		switch {
		case !ok:
			return e, bad("the tar has a damaged pax header")
		case key == "size" || strings.HasPrefix(key, "GNU.sparse."):
			return e, bad("the tar has a pax header with %q, which clients read differently", key)
		case key == "linkpath":
			e.linked = true
		case key == "path":
			if value == "" || strings.Contains(value, "\x00") || e.path != "" {
				return e, bad("the tar has a pax header whose path is empty, double or holds a zero byte")
			}
			e.path = value
		}
	}
	return e, nil
}

// paxRecord takes the first record off text.
func paxRecord(text string) (key, value, rest string, ok bool) {
	digits, _, found := strings.Cut(text, " ")
	n, err := strconv.ParseUint(digits, 10, 24)
	if !found || err != nil || n > uint64(len(text)) || int(n) < len(digits)+len(" =\n") || digits[0] < '0' || digits[0] > '9' {
		return "", "", "", false
	}
	record, end := text[len(digits)+1:n-1], text[n-1]
	key, value, found = strings.Cut(record, "=")
	return key, value, text[n:], found && end == '\n' && key != ""
}
