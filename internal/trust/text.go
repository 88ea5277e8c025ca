package trust

import "strings"

// foldASCII lower-cases A to Z and leaves everything else alone. strings.ToLower would fold the Kelvin sign
// to k, and with it a look-alike name onto a real one.
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// list joins words as a sentence does: "a", "a and b", "a, b and c".
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
