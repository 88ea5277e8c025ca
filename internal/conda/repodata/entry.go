package repodata

import "sluice/internal/conda"

// A Place is where a file name stands in a repodata.json or in a shard.
type Place int

// The maps of records, by the format of their packages, those of repodata v3 (CEP 48) last; then the list of
// names without records.
const (
	TarBz2 Place = iota
	Conda
	TarBz2V3
	CondaV3
	Removed
)

// String names the place as messages do.
func (p Place) String() string {
	switch p {
	case TarBz2:
		return "packages"
	case Conda:
		return "packages.conda"
	case TarBz2V3:
		return "v3 tar.bz2"
	case CondaV3:
		return "v3 conda"
	}
	return "removed"
}

// V3 reports whether only readers of repodata v3 look there.
func (p Place) V3() bool { return p == TarBz2V3 || p == CondaV3 }

// ext is the extension of the files in a map.
func (p Place) ext() string {
	if p == TarBz2 || p == TarBz2V3 {
		return conda.ExtTarBz2
	}
	return conda.ExtConda
}

// filename reads the key of a record there. Those of v3 have no extension.
func (p Place) filename(key string) (conda.Filename, error) {
	if p.V3() {
		key += p.ext()
	}
	return conda.ParseFilename(key)
}

// An Entry is one file name of an index and what stands there of it.
type Entry struct {
	// Place does not tell the format of a file: some channels list .conda files among packages, and clients
	// take them from there.
	Place Place
	File  conda.Filename
	// Record is zero in Removed.
	Record conda.Record
	// RunExports is nil where the index does not say what the package exports.
	RunExports *conda.RunExports
	// Listed says of an entry of Removed that a record of the file came before it: some indexers leave it there.
	Listed bool
}
