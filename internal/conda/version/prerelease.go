package version

import "strings"

// IsPrerelease reports whether v should be shown behind releases, as 1.0rc1, 2.0.dev3 and 1.1a1 are. It
// is a rule for display; no client has it. A version is a prerelease when its main part has letters
// other than "post", except a single letter at the very end (openssl's 1.1.1w, 2024a), with or without
// a '_' after it, and except 'v' or 'r' at the very beginning (v1.0). The local part does not count.
func (v Version) IsPrerelease() bool {
	for i, p := range v.main {
		for j, e := range p {
			last := i == len(v.main)-1 && j == len(p)-1
			first := i == 1 && j == 1 && !last
			if e.kind == dev || e.kind == word && !harmless(e.text, first, last) {
				return true
			}
		}
	}
	return false
}

// harmless reports whether a run of letters says nothing about being a prerelease.
func harmless(text string, first, last bool) bool {
	text = strings.TrimSuffix(text, "_")
	return text == "" || last && len(text) == 1 || first && (text == "v" || text == "r")
}
