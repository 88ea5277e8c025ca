package provider

import (
	"fmt"
	"strings"
)

// badGlob says what a ref condition needs instead, or "".
func badGlob(glob string) string {
	switch {
	case len(glob) > maxCondition:
		return fmt.Sprintf("at most %d characters", maxCondition)
	case !within(glob, maxCondition, func(c byte) bool { return '!' <= c && c <= '~' && !strings.ContainsRune(`?[]\^~:`, rune(c)) }):
		return "a git ref in plain characters, with * for a part of a name and ** for anything; regular expressions are not taken"
	case glob == "*" || glob == "**":
		return "to be left out: no ref means any ref"
	case !strings.HasPrefix(glob, "refs/"):
		return "a full ref: refs/heads/" + glob + " for a branch, refs/tags/" + glob + " for a tag"
	case strings.Contains(glob, "***"):
		return "* for a part of a name, or ** for anything"
	}
	return ""
}

// matchGlob reports whether the whole of s fits the glob: "*" is any run of characters but '/', "**" any run,
// everything else itself. It takes time in proportion to len(glob) × len(s), whatever the two are.
func matchGlob(glob, s string) bool {
	// row[i] says that the glob so far can end after s[:i].
	row := make([]bool, len(s)+1)
	row[0] = true
	for len(glob) > 0 {
		stars := min(len(glob)-len(strings.TrimLeft(glob, "*")), 2)
		switch stars {
		case 0:
			for i := len(s); i > 0; i-- {
				row[i] = row[i-1] && s[i-1] == glob[0]
			}
			row[0] = false
			glob = glob[1:]
		default:
			for i := range len(s) {
				row[i+1] = row[i+1] || row[i] && (stars == 2 || s[i] != '/')
			}
			glob = glob[stars:]
		}
	}
	return row[len(s)]
}
