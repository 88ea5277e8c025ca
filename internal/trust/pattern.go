package trust

import (
	"errors"
	"strings"

	"sluice/internal/conda"
)

// A Pattern says which package names a publisher may publish: a conda.Pattern, in which {repository} may stand for
// the name of the run's repository. It needs that where the publisher means every repository of an owner, for
// there one repository must not publish another's packages. Patterns compare with ==.
type Pattern struct{ s string }

const placeholder = "{repository}"

// ParsePattern reads a pattern: a package name, a beginning with one '*' after it, or '*', each perhaps with
// {repository} in it. It neither trims nor lower-cases.
func ParsePattern(s string) (Pattern, error) {
	if strings.Count(s, placeholder) > 1 {
		return Pattern{}, errors.New("holds " + placeholder + " twice")
	}
	if _, err := conda.ParsePattern(strings.Replace(s, placeholder, "x", 1)); err != nil {
		return Pattern{}, err
	}
	return Pattern{s}, nil
}

// For returns the names that p means for a run of the repository of that name, which counts in lower case. It
// fails where no package can have such a name.
func (p Pattern) For(repository string) (conda.Pattern, error) {
	return conda.ParsePattern(strings.Replace(p.s, placeholder, foldASCII(repository), 1))
}

// PerRepository reports whether p means other names for every repository.
func (p Pattern) PerRepository() bool { return strings.Contains(p.s, placeholder) }

// IsAll reports whether p means every name.
func (p Pattern) IsAll() bool { return p.s == "*" }

// String returns the pattern as it was given.
func (p Pattern) String() string { return p.s }
