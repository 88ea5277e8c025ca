package conda

import (
	"cmp"

	"sluice/internal/conda/version"
)

// Compare orders the records of one package name as clients prefer them, the best last: those that track
// features before those that do not, then by version (CEP 33; of equal ones, by spelling, as rattler does),
// build number and time of build. Solvers weigh dependencies, too. What is equal to clients goes by the
// build string, so that the order is the same everywhere; names are not compared.
func (r Record) Compare(o Record) int {
	return cmp.Or(
		-compareBool(r.TrackFeatures != "", o.TrackFeatures != ""),
		version.Compare(r.Version, o.Version),
		cmp.Compare(r.BuildNumber, o.BuildNumber),
		cmp.Compare(r.TimestampMS, o.TimestampMS),
		cmp.Compare(r.Build, o.Build),
	)
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
