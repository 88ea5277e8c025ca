package artifact

import (
	"encoding/json"
	"slices"
	"strings"
)

// readExtraDepends reads the dependencies of extras (CEP 44), nil when there are none. Tools of early
// 2026 wrote the key with a dash.
func readExtraDepends(o object) (map[string][]string, error) {
	key := "extra_depends"
	if o.kind(key) == "" {
		key = "extra-depends"
	}
	if o.kind(key) == "" {
		return nil, nil
	}
	var groups object
	if err := o.decode(key, "an object of lists", &groups); err != nil || len(groups) == 0 {
		return nil, err
	}
	out := make(map[string][]string, len(groups))
	for name, raw := range groups {
		if name == "" || len(name) > 64 || strings.Trim(name, lowerAlnum+"_.+-") != "" {
			return nil, bad("%q has the extra %s; its name must be 1 to 64 of a-z, 0-9, _, ., + and -", key, quote(name))
		}
		list, err := o.strings(key, raw, "an object of lists of strings")
		if err != nil {
			return nil, err
		}
		out[name] = list
	}
	return out, nil
}

const lowerAlnum = "abcdefghijklmnopqrstuvwxyz0123456789"

// readFlags reads the build's flags (CEP 45): word or word:word.
func readFlags(o object) ([]string, error) {
	flags, err := o.list("flags")
	if err != nil {
		return nil, err
	}
	for _, f := range flags {
		name, value, pair := strings.Cut(f, ":")
		if !isWord(name) || pair && !isWord(value) {
			return nil, bad(`"flags" has %s; a flag is a word of a-z, 0-9 and _, or two joined by a colon`, quote(f))
		}
	}
	return flags, nil
}

func isWord(s string) bool { return s != "" && strings.Trim(s, lowerAlnum+"_") == "" }

// readPurls reads the package URLs that are surely valid, sorted. One that is not would make the whole
// index unreadable for rattler, and nobody needs them to install: they are left out.
func readPurls(o object) []string {
	var all []json.RawMessage
	if json.Unmarshal(o["purls"], &all) != nil {
		return nil
	}
	var purls []string
	for _, raw := range all {
		var s string
		if json.Unmarshal(raw, &s) == nil && isPurl(s) {
			purls = append(purls, s)
		}
	}
	slices.Sort(purls)
	return slices.Compact(purls)
}

// isPurl reports whether s is of the plain form pkg:TYPE/[NAMESPACE/…]NAME[@VERSION][?KEY=VALUE&…], in
// unreserved characters and well-formed escapes. The specification allows a little more.
func isPurl(s string) bool {
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
		if !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte("-._~+", c) < 0 {
			return false
		}
	}
	return s != ""
}
