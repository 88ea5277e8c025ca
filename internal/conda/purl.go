package conda

import (
	"slices"
	"strings"
)

// IsPurl reports whether s is surely a valid package URL, of the plain form
// pkg:TYPE/[NAMESPACE/…]NAME[@VERSION][?KEY=VALUE&…] in unreserved characters and well-formed escapes, at
// most 1024 bytes. The specification allows a little more. One that is not valid would make the whole index
// unreadable for rattler.
func IsPurl(s string) bool {
	rest, ok := strings.CutPrefix(s, "pkg:")
	rest, query, hasQuery := strings.Cut(rest, "?")
	path, version, hasVersion := strings.Cut(rest, "@")
	kind, names, slash := strings.Cut(path, "/")
	if !ok || !slash || len(s) > 1024 || kind == "" || kind[0] <= '9' || strings.Trim(kind, lowerAlnum+".+-") != "" {
		return false
	}
	for name := range strings.SplitSeq(names, "/") {
		if !isEscaped(name) || name == "." || name == ".." {
			return false
		}
	}
	if hasVersion && !isEscaped(version) {
		return false
	}
	return !hasQuery || isQuery(query)
}

const lowerAlnum = "abcdefghijklmnopqrstuvwxyz0123456789"

// isQuery reports whether s is KEY=VALUE pairs, each key once. The key checksum has a form of its own that
// clients check, and we do not know it.
func isQuery(s string) bool {
	var keys []string
	for pair := range strings.SplitSeq(s, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || key[0] <= '9' || strings.Trim(key, lowerAlnum+"._-") != "" || !isEscaped(value) || slices.Contains(keys, key) || key == "checksum" {
			return false
		}
		keys = append(keys, key)
	}
	return true
}

// isEscaped reports whether s is one or more unreserved characters of URLs, or escapes of printable ASCII
// other than '/'.
func isEscaped(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte("..234567", s[i+1]), strings.IndexByte("0123456789ABCDEF", s[i+2])
			if hi < 2 || lo < 0 || hi == 7 && lo == 15 || hi == 2 && lo == 15 {
				return false
			}
			i += 2
			continue
		}
		if !lower(c) && !upper(c) && strings.IndexByte("-._~+", c) < 0 {
			return false
		}
	}
	return s != ""
}
