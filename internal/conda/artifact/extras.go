package artifact

import (
	"encoding/json"
	"slices"
	"strings"

	"sluice/internal/conda"
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
		if json.Unmarshal(raw, &s) == nil && conda.IsPurl(s) {
			purls = append(purls, s)
		}
	}
	slices.Sort(purls)
	return slices.Compact(purls)
}
