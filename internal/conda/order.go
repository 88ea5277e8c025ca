package conda

import (
	"cmp"

	"sluice/internal/conda/version"
)

// Compare orders the records of one package name as clients prefer them, the best last: those that track
// features before those that do not, then by version (CEP 33), build number and time of build. Solvers
// weigh dependencies, too. What is equal to clients goes by the strings of version and build, so that
// the order is the same everywhere; names are not compared.
func (r Record) Compare(o Record) int {
	return cmp.Or(
		-compareBool(r.TrackFeatures != "", o.TrackFeatures != ""),
		compareVersions(r.Version, o.Version),
		cmp.Compare(r.BuildNumber, o.BuildNumber),
		cmp.Compare(r.TimestampMS, o.TimestampMS),
		cmp.Compare(r.Version, o.Version),
		cmp.Compare(r.Build, o.Build),
	)
}

// compareVersions is 0 also for versions that are spelled differently, as 1.1 and 1.1.0 are.
func compareVersions(a, b string) int {
	v, errA := version.Parse(a)
	w, errB := version.Parse(b)
	if errA != nil || errB != nil {
		return version.Compare(a, b)
	}
	return v.Compare(w)
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
