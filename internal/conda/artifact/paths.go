package artifact

import (
	"strings"
	"unicode/utf8"
)

// place says where a path belongs.
type place int

const (
	payload place = iota // installed into the prefix
	inInfo               // below info/, or info itself
	inMeta               // below conda-meta/, which is the client's own
)

// placeOf tells a path's place by its first segment, as the most careless file system would see it: a
// backslash divides, case does not count, dots and blanks at the end do not.
func placeOf(path string) place {
	for seg := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		switch strings.ToLower(strings.TrimRight(seg, ". ")) {
		case "":
			if strings.Trim(seg, ".") == "" && len(seg) <= 2 {
				continue // "." does not move; ".." is refused elsewhere
			}
		case "info":
			return inInfo
		case "conda-meta":
			return inMeta
		}
		return payload
	}
	return payload
}

// checkInfoPath holds a path of place inInfo to the one spelling that every reader finds and nobody takes
// for another: info/…, plain segments, UTF-8.
func checkInfoPath(path string) error {
	switch {
	case strings.HasPrefix(path, "./"):
		return bad("the tar has %s: the indexers look for info/… without ./ in front; make the tar of info, not of a dot", quote(path))
	case !utf8.ValidString(path):
		return bad("the tar has %s, which is not UTF-8", quote(path))
	case strings.Contains(path, `\`):
		return bad("the tar has %s; a path holds no backslash", quote(path))
	case path == "info/repodata_record.json":
		return bad("the tar has %s, which only clients write (CEP 34)", quote(path))
	}
	path = strings.TrimSuffix(path, "/") // a folder
	if path != "info" && !strings.HasPrefix(path, "info/") {
		return bad("the tar has %s, which is not below info/", quote(path))
	}
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return bad("the tar has %s; a path has no empty, . or .. parts", quote(path))
		}
	}
	return nil
}

// checkPayloadPath refuses a path that would be installed outside the prefix, on any system, or over what
// the client keeps there.
func checkPayloadPath(path string) error {
	switch {
	case path == "":
		return bad("the tar has an entry without a path")
	case path[0] == '/' || path[0] == '\\' || len(path) > 1 && path[1] == ':' && isLetter(path[0]):
		return bad("the tar has the absolute path %s", quote(path))
	case placeOf(path) == inMeta:
		return bad("the tar has %s: conda-meta/ belongs to the client (CEP 34)", quote(path))
	}
	for seg := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if seg == ".." {
			return bad("the tar has %s, which climbs out of the package", quote(path))
		}
	}
	return nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// plain is the path without empty and "." segments: the same for all spellings of one path.
func plain(path string) string {
	clean := !strings.Contains(path, "//") && !strings.HasPrefix(path, "./") && !strings.Contains(path, "/./") &&
		!strings.HasSuffix(path, "/") && !strings.HasSuffix(path, "/.") && path != "."
	if clean {
		return path
	}
	var segs []string
	for seg := range strings.SplitSeq(path, "/") {
		if seg != "" && seg != "." {
			segs = append(segs, seg)
		}
	}
	return strings.Join(segs, "/")
}
