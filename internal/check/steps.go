package check

import (
	"slices"

	"sluice/internal/curate"
)

// What one step of a repair may be about: as much as one change of keepers, for each is one transaction, and uploads to the
// place wait for it. The shard of a name may have thousands of records.
const (
	recordsAtOnce = curate.MaxAtOnce
	shardsAtOnce  = 1000
)

// steps cuts a repair of a place into transactions. The first makes the series anew from what the records are, each whole,
// since on damaged pieces nothing can be built; what follows changes single records and shards over sound ones.
func (m Mend) steps() []Mend {
	var out []Mend
	if len(m.Series) > 0 || m.fits() {
		first := m
		if !m.fits() {
			first = Mend{Place: m.Place, Series: m.Series}
		}
		out = append(out, first)
	}
	if m.fits() {
		return out
	}
	for some := range slices.Chunk(m.Artifacts, recordsAtOnce) {
		out = append(out, Mend{Place: m.Place, Artifacts: some})
	}
	for some := range slices.Chunk(m.Lost, recordsAtOnce) {
		out = append(out, Mend{Place: m.Place, Lost: some})
	}
	for some := range slices.Chunk(m.Names, shardsAtOnce) {
		out = append(out, Mend{Place: m.Place, Names: some})
	}
	for some := range slices.Chunk(m.Forget, shardsAtOnce) {
		out = append(out, Mend{Place: m.Place, Forget: some})
	}
	return out
}

// fits reports whether all of it is small enough for one transaction.
func (m Mend) fits() bool {
	return len(m.Artifacts)+len(m.Lost) <= recordsAtOnce && len(m.Names)+len(m.Forget) <= shardsAtOnce
}

// steps cuts a repair of what belongs to no place into transactions; none where there is nothing to do.
func (m MendChannel) steps() []MendChannel {
	var out []MendChannel
	for some := range slices.Chunk(m.Artifacts, recordsAtOnce) {
		out = append(out, MendChannel{Artifacts: some})
	}
	for some := range slices.Chunk(m.Packages, shardsAtOnce) {
		out = append(out, MendChannel{Packages: some})
	}
	if len(m.Blocks)+len(m.Keep) > 0 { // a check tells of some at a time
		out = append(out, MendChannel{Blocks: m.Blocks, Keep: m.Keep})
	}
	return out
}
