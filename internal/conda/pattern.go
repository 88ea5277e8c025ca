package conda

import "strings"

// Pattern says which package names a rule is for: one exact name, every name with a beginning
// ("libtide*"), or all ("*"). It never depends on versions. The zero value matches nothing.
// Patterns compare with ==.
type Pattern struct{ s string }

// ParsePattern reads a pattern: a package name, or one '*' at the end or alone. It neither trims nor
// lower-cases. Every error is a *SyntaxError.
func ParsePattern(s string) (Pattern, error) {
	const what = "package pattern"
	if s == "*" {
		return Pattern{s}, nil
	}
	name := strings.TrimSuffix(s, "*")
	if strings.Contains(name, "*") {
		return Pattern{}, refuse(what, s, "has a '*' before its end; one '*' is allowed, at the end or alone")
	}
	// Every beginning of a valid name is a valid name, so one check serves both forms.
	if err := checkName(what, name); err != nil {
		return Pattern{}, refuse(what, s, "%s", err.Why)
	}
	return Pattern{s}, nil
}

// Match reports whether the package name is one of the pattern's.
func (p Pattern) Match(name string) bool {
	if prefix, ok := strings.CutSuffix(p.s, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return p.s != "" && name == p.s
}

// IsAll reports whether the pattern matches every name.
func (p Pattern) IsAll() bool { return p.s == "*" }

// String returns the pattern as it was given; "" for the zero value.
func (p Pattern) String() string { return p.s }
