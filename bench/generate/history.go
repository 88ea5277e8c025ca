package generate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"sluice/internal/conda"
)

// history is the life of one name: what its versions need, from the first to the last. Ask for versions in order.
type history struct {
	channel *Channel
	name    name
	draw    *rand.Rand // decides what is needed
	details *rand.Rand // decides what differs from build to build
	needs   []need
	license string
	home    conda.Subdir
}

// need is a dependency, before a version of the dependent gives it its range.
type need struct {
	rank int
	form rangeForm
}

// rangeForm is how a dependency limits the versions.
type rangeForm int

const (
	anyVersion rangeForm = iota
	atLeast
	compatible
)

// The number of dependencies of a record is log-normal with these parameters, and at most mostNeeds.
const (
	needsMu, needsSigma = 1.9, 0.7
	mostNeeds           = 60
)

func (c *Channel) newHistory(n name) *history {
	h := &history{channel: c, name: n, draw: random(c.spec.Seed, lives, n.rank), details: random(c.spec.Seed, builds, n.rank), home: c.home(n)}
	h.license = licenses[h.draw.IntN(len(licenses))]
	count := int(math.Exp(needsMu + needsSigma*h.draw.NormFloat64()))
	for range min(count, mostNeeds, n.rank-1) {
		h.needs = append(h.needs, h.drawNeed())
	}
	return h
}

var licenses = [...]string{
	"MIT", "BSD-3-Clause", "Apache-2.0", "Apache-2.0", "GPL-3.0-or-later", "LGPL-2.1-or-later",
	"BSD-2-Clause", "MPL-2.0", "ISC", "GPL-2.0-only AND LGPL-2.1-or-later",
}

// home is where the packages of a name are served.
func (c *Channel) home(n name) conda.Subdir {
	if !c.spec.Only.IsZero() {
		return c.spec.Only
	}
	if n.kind == pure {
		return noarch
	}
	return linux64
}

// drawNeed draws a popular name that is not needed yet: one of a lower rank, so that nothing depends on itself by
// a detour. Python is needed by way of the builds alone.
func (h *history) drawNeed() need {
	for {
		u := h.draw.Float64()
		rank := 1 + int(float64(h.name.rank-1)*u*u*u*u)
		if !slices.ContainsFunc(h.needs, func(n need) bool { return n.rank == rank }) {
			return need{rank, [...]rangeForm{anyVersion, atLeast, compatible, compatible}[h.draw.IntN(4)]}
		}
	}
}

// at is what the i-th version needs. One version in two exchanges one dependency for another.
func (h *history) at(i int) []need {
	if i > 0 && len(h.needs) > 0 && len(h.needs) < h.name.rank-1 && h.draw.IntN(2) == 0 {
		h.needs[h.draw.IntN(len(h.needs))] = h.drawNeed()
	}
	return h.needs
}

// spec writes a dependency of the i-th version. It is on what was there when that version was made, so the
// newest version of a name takes the newest of all that it needs: there is always a solution.
func (h *history) spec(n need, i int) string {
	target := h.channel.name(n.rank)
	newest := max((i+1)*target.versions/h.name.versions-1, 0)
	oldest := target.scheme.version(max(newest-3, 0))
	switch n.form {
	case anyVersion:
		return target.text
	case atLeast:
		return target.text + " >=" + oldest
	default:
		return target.text + " >=" + oldest + ",<" + target.scheme.next(newest)
	}
}

// build makes the b-th build of the i-th version.
func (h *history) build(i, b int, needs []need) Package {
	number := 0
	if h.name.kind == library {
		number = b
	}
	return h.rebuild(i, b, needs, number)
}

// rebuild is build with a build number.
func (h *history) rebuild(i, b int, needs []need, number int) Package {
	n, draw := h.name, h.details
	r := conda.Record{
		Name: n.text, Version: n.scheme.version(i), BuildNumber: uint64(number), Subdir: h.home,
		License: h.license, TimestampMS: h.time(i), Size: int64(math.Exp(12 + 2*draw.NormFloat64())),
	}
	hash := uint32(draw.Uint64())
	r.IndexedMS = r.TimestampMS + 60_000 + int64(hash%600_000)
	fill(draw, r.MD5[:])
	fill(draw, r.SHA256[:])
	for _, d := range needs {
		r.Depends = append(r.Depends, h.spec(d, i))
	}
	switch n.kind {
	case interpreter:
		r.Build = fmt.Sprintf("h%07x_%d_cpython", hash>>4, number)
	case extension:
		python := pythons[b]
		r.Build = fmt.Sprintf("py3%dh%07x_%d", python, hash>>4, number)
		r.Depends = append(r.Depends, fmt.Sprintf("python >=3.%d,<3.%d.0a0", python, python+1))
	case pure:
		r.Build = fmt.Sprintf("pyhd8ed1ab_%d", number)
		r.Depends = append(r.Depends, "python >=3.9")
		if h.home == noarch {
			r.Noarch = "python"
		}
	default:
		r.Build = fmt.Sprintf("h%07x_%d", hash>>4, number)
	}
	slices.Sort(r.Depends)
	return Package{File: h.file(r), Record: r, RunExports: h.exports(i)}
}

// time is when the i-th version was built: the first one some years ago, each a while after the one before.
func (h *history) time(i int) int64 {
	const begin, end = 1_450_000_000_000, 1_750_000_000_000
	start := begin + int64(h.name.rank)*7_919_000%(end-begin)/2
	return start + (end-start)*int64(i+1)/int64(h.name.versions+1)
}

// exports are what is handed on to whatever is built with a library.
func (h *history) exports(i int) conda.RunExports {
	if h.name.kind != library {
		return conda.RunExports{}
	}
	s := h.name.scheme
	return conda.RunExports{Weak: []string{h.name.text + " >=" + s.version(i) + ",<" + s.next(i)}}
}

// oldFormat is how many names there are to one whose packages are .tar.bz2 files.
const oldFormat = 50

// file is the name of the package's file. What is made here is a name by the rules, which a test shows.
func (h *history) file(r conda.Record) conda.Filename {
	ext := conda.ExtConda
	if h.name.rank%oldFormat == oldFormat-1 {
		ext = conda.ExtTarBz2
	}
	return must(conda.ParseFilename(r.Name + "-" + r.Version + "-" + r.Build + ext))
}

func fill(draw *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(draw.Uint32())
	}
}

// must is for strings that are fixed or made here: a wrong one is a mistake in this package.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	noarch  = must(conda.ParseSubdir("noarch"))
	linux64 = must(conda.ParseSubdir("linux-64"))
)
