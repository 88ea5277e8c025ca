// Package generate makes channels that look like real ones, of any size, the same for the same seed: a few
// names with thousands of records and many with a handful, versions that follow one another, builds for
// several Pythons, dependencies on popular names with ranges that can be met. It gives records, and package
// files that every client installs.
//
// Memory is that of the names, one number each; records are made while they are asked for. The package
// must not know what is measured with what it makes, nor of any server.
package generate

import (
	"fmt"
	"iter"
	"math"
	"sort"

	"sluice/internal/conda"
)

// Spec says which channel is made.
type Spec struct {
	// Records is the number of packages, at least MinRecords.
	Records int
	// Seed chooses among channels of the same shape.
	Seed uint64
	// Only puts every record into one subdir. The zero value spreads names over noarch and linux-64, about
	// three to seven, as in large public channels.
	Only conda.Subdir
}

// MinRecords is the smallest channel in which every Python is there for whoever depends on it.
const MinRecords = 100

// Package is one package of a channel. Its record is complete, with digests, sizes and times that look
// like real ones; those of a file that Write made are the file's own.
type Package struct {
	File       conda.Filename
	Record     conda.Record
	RunExports conda.RunExports
}

// Channel is a channel that can be made, over and over.
type Channel struct {
	spec Spec
	// before[r] is how many records the names of lower rank have; the last one is all records.
	before []int
}

// The shape of the distribution of records over names, that of Zipf and Mandelbrot: the name of rank r has a
// share of (r+shift)^-slope. The mean number of records to a name is that of large public channels.
const (
	recordsPerName = 25
	shift          = 20
	slope          = 0.8
)

// New returns the channel of a specification.
func New(s Spec) (*Channel, error) {
	if s.Records < MinRecords {
		return nil, fmt.Errorf("a channel of %d records is too small to look like a real one: ask for %d at least", s.Records, MinRecords)
	}
	shares := make([]float64, s.Records/recordsPerName+1)
	for r := range len(shares) - 1 {
		shares[r+1] = shares[r] + math.Pow(float64(r+shift), -slope)
	}
	whole := shares[len(shares)-1]
	c := &Channel{spec: s, before: make([]int, len(shares))}
	for r, share := range shares {
		c.before[r] = int(math.Round(share / whole * float64(s.Records)))
	}
	return c, nil
}

// Names is how many names the channel has. They are known by their rank, from 0: python, the most popular one.
func (c *Channel) Names() int { return len(c.before) - 1 }

// Name is the name of a rank. A dependency of a package always has a lower rank than the package itself.
func (c *Channel) Name(rank int) string { return c.name(rank).text }

// Packages makes all packages, name after name, the versions of each from old to new.
func (c *Channel) Packages() iter.Seq[Package] {
	return func(yield func(Package) bool) {
		for rank := range c.Names() {
			if !c.packages(rank, yield) {
				return
			}
		}
	}
}

// packages makes those of one name and reports whether more are wanted.
func (c *Channel) packages(rank int, yield func(Package) bool) bool {
	n := c.name(rank)
	h := c.newHistory(n)
	for i := range n.versions {
		needs := h.at(i)
		for b := n.missing(i); b < n.builds(); b++ {
			if !yield(h.build(i, b, needs)) {
				return false
			}
		}
	}
	return true
}

// Extra makes the i-th of endlessly many packages that are not in the channel and fit it: another build of
// the newest version of some name. Names are drawn as uploads draw them, the popular ones more often.
func (c *Channel) Extra(i int) Package {
	record := random(c.spec.Seed, draws, i).IntN(c.spec.Records)
	rank := sort.Search(c.Names(), func(r int) bool { return c.before[r+1] > record })
	return c.ExtraOf(rank, i)
}

// ExtraOf is Extra for the name of a rank. Packages differ where rank or i does.
func (c *Channel) ExtraOf(rank, i int) Package {
	n := c.name(rank)
	h := c.newHistory(n)
	var needs []need
	for v := range n.versions {
		needs = h.at(v)
	}
	h.details = random(c.spec.Seed, extras, i)
	return h.rebuild(n.versions-1, n.builds()-1, needs, extraBuilds+i)
}

// extraBuilds is the first build number of an extra package: no other comes near it.
const extraBuilds = 1000
