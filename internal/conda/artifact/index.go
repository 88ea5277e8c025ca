package artifact

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/conda"
)

// ParseIndex makes the record of raw, an info/index.json or what another channel's index says of a package
// (CEP 34, 36), just as Read does for a package that was uploaded under the name f at the time now. The
// record is without what the index owns: MD5, SHA256, Size and IndexedMS. The number is the package's
// SchemaVersion. Every error is a *FormatError.
//
// A zero now stands for a package that has been in a channel before, where what was let in once is not
// refused again: its time may lie in the future, and is dropped when it is negative; whole numbers may be
// written with a fraction; and a Subdir may be missing, for the caller to set.
func ParseIndex(raw []byte, f conda.Filename, now time.Time) (r conda.Record, schemaVersion int, err error) {
	if err := checkJSON(raw, false); err != nil {
		return conda.Record{}, 0, err
	}
	return readIndex(raw, f, now)
}

// readIndex is ParseIndex of what passed checkJSON. Only the fields of the record are read, so what the
// index owns (md5, sha256, size, indexed_timestamp, run_exports and so on) cannot come from a package. One
// record that a client cannot read spoils the whole index for it: what has no clear meaning is refused, and
// null is never passed on.
func readIndex(raw []byte, f conda.Filename, now time.Time) (r conda.Record, schemaVersion int, err error) {
	o, err := parseObject(raw)
	if err != nil {
		return r, 0, err
	}
	before := now.IsZero()
	for _, step := range []func() error{
		func() error { return readIdentity(&r, o, f) },
		func() (err error) { r.BuildNumber, err = readBuildNumber(o, before); return },
		func() (err error) { r.Subdir, err = readSubdir(o, before); return },
		func() (err error) { r.Noarch, err = readNoarch(o); return },
		func() (err error) { r.Depends, err = o.list("depends"); return },
		func() (err error) { r.Constrains, err = o.list("constrains"); return },
		func() (err error) { r.TimestampMS, err = readTimestamp(o, now); return },
		func() error { return readTexts(&r, o) },
		func() (err error) { r.PythonSitePackagesPath, err = readSitePackages(o); return },
		func() (err error) { r.ExtraDepends, err = readExtraDepends(o); return },
		func() (err error) { r.Flags, err = readFlags(o); return },
		func() (err error) { schemaVersion, err = readSchemaVersion(o); return },
		func() error {
			return noNUL(slices.Concat(r.Depends, r.Constrains, []string{r.Features, r.TrackFeatures}))
		},
	} {
		if err := step(); err != nil {
			return conda.Record{}, 0, err
		}
	}
	r.Purls = readPurls(o)
	return r, schemaVersion, nil
}

// noNUL refuses texts that clients written in C would read up to that character and others whole.
func noNUL(texts []string) error {
	for _, s := range texts {
		if strings.ContainsRune(s, 0) {
			return bad("%s holds a NUL character, at which some clients would stop reading", quote(s))
		}
	}
	return nil
}

// readIdentity reads name, version and build, which clients take from the file name or from the record,
// as they happen to: both must be the same, byte for byte.
func readIdentity(r *conda.Record, o object, f conda.Filename) error {
	for _, part := range []struct {
		key, want string
		to        *string
	}{{"name", f.Name(), &r.Name}, {"version", f.Version(), &r.Version}, {"build", f.Build(), &r.Build}} {
		got, err := o.text(part.key)
		if err != nil {
			return err
		}
		if got != part.want {
			return bad("%s is %s, but the file name %s says %s; upload the file under the name it was built with",
				quote(part.key), quote(got), f, quote(part.want))
		}
		*part.to = got
	}
	return nil
}

// readBuildNumber reads the build number, which is never guessed from the build string. With before it may
// be a whole number with a fraction, 1.0, as tools in other languages write it.
func readBuildNumber(o object, before bool) (uint64, error) {
	if o.kind("build_number") == "" {
		return 0, bad(`"build_number" is missing; it must be a whole number, such as 0`)
	}
	n, err := strconv.ParseUint(string(o["build_number"]), 10, 63)
	if err != nil && before {
		n, err = wholeNumber(string(o["build_number"]))
	}
	if err != nil {
		return 0, bad(`"build_number" is %s; it must be a whole number from 0 to 2^63-1`, quote(string(o["build_number"])))
	}
	return n, nil
}

// errNotWhole refuses a number for wholeNumber.
var errNotWhole = errors.New("not a whole number from 0 to 2^53")

// wholeNumber reads a number that was written with a fraction or an exponent, as far as such are exact.
func wholeNumber(s string) (uint64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n != math.Trunc(n) || n < 0 || n > 1<<53 {
		return 0, errNotWhole
	}
	return uint64(n), nil
}

// unknownSubdir is what rattler's indexer writes for a package that does not say its subdir.
const unknownSubdir = "unknown"

// readSubdir reads the subdir; with before it may be missing. Ancient packages have platform and arch instead.
func readSubdir(o object, before bool) (conda.Subdir, error) {
	s, err := o.text("subdir")
	if err != nil {
		return conda.Subdir{}, err
	}
	if s == "" || s == unknownSubdir {
		platform, err1 := o.text("platform")
		arch, err2 := o.text("arch")
		if err := cmp.Or(err1, err2); err != nil {
			return conda.Subdir{}, err
		}
		switch {
		case platform != "" && arch != "":
		case before:
			return conda.Subdir{}, nil
		default:
			return conda.Subdir{}, bad(`"subdir" is missing; it says which platform the package is for, such as "linux-64" or "noarch"`)
		}
		switch arch {
		case "x86_64":
			arch = "64"
		case "x86":
			arch = "32"
		}
		s = platform + "-" + arch
	}
	d, err := conda.ParseSubdir(s)
	if err != nil {
		return d, bad("%v", err)
	}
	return d, nil
}

// readNoarch reads the kind of noarch package. true is how old tools wrote "generic".
func readNoarch(o object) (string, error) {
	switch raw := string(o["noarch"]); raw {
	case "", "null", "false", `""`:
		return "", nil
	case "true":
		return "generic", nil
	default:
		var s string
		if err := json.Unmarshal(o["noarch"], &s); err == nil && (s == "python" || s == "generic") {
			return s, nil
		}
		return "", bad(`"noarch" is %s; it must be "python" or "generic", or be left out`, quote(raw))
	}
}

// Timestamps above lastSecond are milliseconds, as all clients have it: the last second of the year 9999.
const (
	lastSecond = 253402300799
	maxSkew    = 10 * time.Minute
)

// readTimestamp reads the time of the build, in seconds or milliseconds. A time to come would count as
// newest for ever and is refused (CEP 47). A zero now lets it pass.
func readTimestamp(o object, now time.Time) (int64, error) {
	if o.kind("timestamp") == "" {
		return 0, nil
	}
	var n float64 // exact for whole numbers far beyond the year 9999 in milliseconds
	if err := o.decode("timestamp", "a number", &n); err != nil {
		return 0, err
	}
	if n <= lastSecond {
		n *= 1000
	}
	switch {
	case n < 0 && now.IsZero():
		return 0, nil
	case n < 0:
		return 0, bad(`"timestamp" is %s; it must not be negative`, quote(string(o["timestamp"])))
	case now.IsZero() && n <= lastSecond*1000:
	case n > float64(now.Add(maxSkew).UnixMilli()):
		return 0, bad(`"timestamp" is %s, which lies in the future; set the clock of the machine that builds`, quote(string(o["timestamp"])))
	}
	return int64(n), nil
}

// readTexts reads the fields that are free text, or lists of words in old and new packages by turns.
func readTexts(r *conda.Record, o object) (err error) {
	for _, t := range []struct {
		key, sep string
		to       *string
	}{{"license", ", ", &r.License}, {"license_family", ", ", &r.LicenseFamily}, {"features", " ", &r.Features}, {"track_features", " ", &r.TrackFeatures}} {
		if *t.to, err = o.words(t.key, t.sep); err != nil {
			return err
		}
	}
	r.License, r.LicenseFamily = clean(r.License, maxLine, false), clean(r.LicenseFamily, maxLine, false)
	r.Features, r.TrackFeatures = spaced(r.Features), spaced(r.TrackFeatures)
	return nil
}

// spaced joins what is separated by commas or blanks with single blanks.
func spaced(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, ",", " ")), " ")
}

// readSitePackages reads where python packages go (CEP 17). libmamba does not check it, so we do.
func readSitePackages(o object) (string, error) {
	const key = "python_site_packages_path"
	s, err := o.text(key)
	if err != nil || s == "" {
		return "", err
	}
	for seg := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '/' || r == '\\' }) {
		if seg == ".." {
			return "", bad("%q is %s; it must not climb out of the prefix", key, quote(s))
		}
	}
	if s[0] == '/' || s[0] == '\\' || strings.ContainsAny(s, ":\x00") {
		return "", bad("%q is %s; it must be a relative path", key, quote(s))
	}
	return s, nil
}

// readSchemaVersion reads both names that tools have for the revision of repodata that the package needs.
func readSchemaVersion(o object) (int, error) {
	highest := 0
	for _, key := range []string{"schema_version", "repodata_revision"} {
		if o.kind(key) == "" {
			continue
		}
		n, err := strconv.ParseUint(string(o[key]), 10, 31)
		if err != nil {
			return 0, bad("%q is %s; it must be a whole number", key, quote(string(o[key])))
		}
		if n > 3 {
			return 0, bad("%q is %d; this server knows revisions up to 3", key, n)
		}
		highest = max(highest, int(n))
	}
	return highest, nil
}
