package generate

import (
	"math/rand/v2"
	"strconv"
)

// kind is what sort of thing a name stands for, which decides its builds.
type kind int

const (
	// library: compiled, no Python; hands its version on to what is built with it.
	library kind = iota
	// extension: compiled once for each Python.
	extension
	// pure: a Python package for any Python.
	pure
	// interpreter: python itself.
	interpreter
)

// name is what follows from a rank alone.
type name struct {
	rank     int
	text     string
	kind     kind
	records  int
	versions int
	scheme   scheme
}

// Streams of random numbers that must not depend on one another.
const (
	traits = iota
	lives
	builds
	draws
	extras
)

// random is the stream of random numbers of one name, or one thing, for one purpose.
func random(seed uint64, purpose, i int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(purpose)<<56|uint64(i)))
}

// name works out a name. It is cheap, so that nothing of it need be kept.
func (c *Channel) name(rank int) name {
	n := name{rank: rank, records: c.before[rank+1] - c.before[rank]}
	draw := random(c.spec.Seed, traits, rank)
	switch dice := draw.IntN(10); {
	case rank == 0:
		n.kind = interpreter
	case dice < 5: // half of all names, as performance figures assume
		n.kind = extension
	case dice < 7:
		n.kind = library
	default:
		n.kind = pure
	}
	n.versions = (n.records + n.builds() - 1) / n.builds()
	n.scheme = newScheme(draw, n)
	n.text = spell(draw, n)
	return n
}

// builds is how many builds a version has.
func (n name) builds() int {
	switch n.kind {
	case extension:
		return len(pythons)
	case library:
		return 2
	default:
		return 1
	}
}

// missing is how many builds a version lacks: the oldest one is short of those that make no full number.
func (n name) missing(version int) int {
	if version > 0 {
		return 0
	}
	return n.versions*n.builds() - n.records
}

// pythons are the minor versions of Python 3 that extensions are built for.
var pythons = [...]int{10, 11, 12, 13, 14}

// Syllables of two letters: three of them, chosen by the rank alone, make the core of a name and keep any two
// names apart, for nothing else in a name looks like a core.
const consonants, vowels = "bcdfghjklmnprstvwxyz", "aeiou"

const syllables = len(consonants) * len(vowels)

// spell makes a name that can be told from all others: affixes as people use them around a core.
func spell(draw *rand.Rand, n name) string {
	if n.kind == interpreter {
		return "python"
	}
	// 7919 and the number of cores have no common divisor, so this only mixes the ranks.
	cores := syllables * syllables * syllables
	core := make([]byte, 0, 6)
	for x := n.rank * 7919 % cores; len(core) < cap(core); x /= syllables {
		core = append(core, consonants[x%len(consonants)], vowels[x/len(consonants)%len(vowels)])
	}
	prefixes, suffixes := []string{""}, []string{"", "", "", "-core", "-tools", "-data-client", "-utils"}
	switch n.kind {
	case library:
		prefixes, suffixes = []string{"lib", "lib", "", "gst-", "aws-c-"}, []string{"", "", "-devel", "-cpp", "-static"}
	case pure:
		prefixes = []string{"", "", "py-", "sphinx-", "types-", "pytest-", "jupyter-", "opentelemetry-instrumentation-"}
	}
	return prefixes[draw.IntN(len(prefixes))] + string(core) + suffixes[draw.IntN(len(suffixes))]
}

// scheme is how a name numbers its versions: by place, or by the calendar.
type scheme struct {
	calendar bool
	// python spreads the versions evenly over the minor versions of Python.
	python          int
	first           int // major version, or year
	minors, patches int // to one major version, or year
}

func newScheme(draw *rand.Rand, n name) scheme {
	if n.kind == interpreter {
		return scheme{python: n.versions}
	}
	if draw.IntN(8) == 0 {
		return scheme{calendar: true, first: 2015 + draw.IntN(5), minors: 12, patches: 1 + draw.IntN(3)}
	}
	return scheme{first: draw.IntN(4), minors: 4 + draw.IntN(12), patches: 1 + draw.IntN(5)}
}

// numbers is the i-th version taken apart.
func (s scheme) numbers(i int) (major, minor, patch int) {
	if s.python > 0 {
		at := i * len(pythons) / s.python
		begin := (at*s.python + len(pythons) - 1) / len(pythons)
		return 3, pythons[at], i - begin
	}
	major, minor, patch = s.first+i/(s.minors*s.patches), i/s.patches%s.minors, i%s.patches
	if s.calendar {
		minor++ // months count from 1
	}
	return major, minor, patch
}

// version spells the i-th version.
func (s scheme) version(i int) string {
	major, minor, patch := s.numbers(i)
	return strconv.Itoa(major) + "." + strconv.Itoa(minor) + "." + strconv.Itoa(patch)
}

// next is the bound below which versions like the i-th lie, as build tools write it.
func (s scheme) next(i int) string {
	major, _, _ := s.numbers(i)
	return strconv.Itoa(major+1) + ".0a0"
}
