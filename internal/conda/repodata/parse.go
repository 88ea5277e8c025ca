package repodata

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"sluice/internal/conda"
)

// ParseMember reads a member that Member made, or one of v3 where place says so: the record's fields as they
// are, without judging them. It refuses whatever is not spelled byte for byte as Member spells it.
func ParseMember(place Place, raw []byte) (conda.Filename, conda.Record, error) {
	key, value, err := cutMember(raw)
	if err != nil {
		return conda.Filename{}, conda.Record{}, err
	}
	f, r, _, err := parseRecord(place, key, value)
	if err != nil {
		return conda.Filename{}, conda.Record{}, err
	}
	j := jsonForm{b: make([]byte, 0, len(raw))}
	j.key(key)
	writeRecord(&j, r, nil)
	if !bytes.Equal(j.b, raw) {
		return conda.Filename{}, conda.Record{}, fmt.Errorf("the member of %s is not written as this program writes members", f)
	}
	return f, r, nil
}

// cutMember cuts a member at its colon.
func cutMember(raw []byte) (key string, value []byte, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	tok, err := dec.Token()
	key, isString := tok.(string)
	value, colon := bytes.CutPrefix(raw[min(dec.InputOffset(), int64(len(raw))):], []byte(":"))
	if err != nil || !isString || !colon {
		return "", nil, errors.New("a member does not begin with a file name and a colon")
	}
	return key, value, nil
}

// recordJSON is a record as members have it.
type recordJSON struct {
	AttestationsSHA256     *digest             `json:"attestations_sha256"`
	Build                  string              `json:"build"`
	BuildNumber            uint64              `json:"build_number"`
	Constrains             []string            `json:"constrains"`
	Depends                []string            `json:"depends"`
	ExtraDepends           map[string][]string `json:"extra_depends"`
	Features               string              `json:"features"`
	Flags                  []string            `json:"flags"`
	IndexedMS              int64               `json:"indexed_timestamp"`
	License                string              `json:"license"`
	LicenseFamily          string              `json:"license_family"`
	MD5                    digest              `json:"md5"`
	Name                   string              `json:"name"`
	Noarch                 string              `json:"noarch"`
	Purls                  []string            `json:"purls"`
	PythonSitePackagesPath string              `json:"python_site_packages_path"`
	RunExports             runExportsJSON      `json:"run_exports"`
	SHA256                 digest              `json:"sha256"`
	Size                   int64               `json:"size"`
	Subdir                 string              `json:"subdir"`
	TimestampMS            int64               `json:"timestamp"`
	TrackFeatures          string              `json:"track_features"`
	Version                string              `json:"version"`
}

type runExportsJSON struct {
	Weak             []string `json:"weak,omitempty"`
	Strong           []string `json:"strong,omitempty"`
	Noarch           []string `json:"noarch,omitempty"`
	WeakConstrains   []string `json:"weak_constrains,omitempty"`
	StrongConstrains []string `json:"strong_constrains,omitempty"`
}

// digest is a hash in hexadecimal.
type digest []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *digest) UnmarshalText(text []byte) (err error) {
	*d, err = hex.AppendDecode(nil, text)
	return err
}

// parseRecord reads what stands under a key. It may take more than it should: callers write the record anew
// and compare.
func parseRecord(place Place, key string, value []byte) (f conda.Filename, r conda.Record, re conda.RunExports, err error) {
	if f, err = place.filename(key); err != nil {
		return f, r, re, err
	}
	if f.Ext() != place.ext() {
		return f, r, re, fmt.Errorf("file name %q does not belong into %s, where names end in %s", key, place, place.ext())
	}
	var v recordJSON
	if err := json.Unmarshal(value, &v); err != nil {
		return f, r, re, fmt.Errorf("read the record of %s: %w", f, err)
	}
	subdir, err := conda.ParseSubdir(v.Subdir)
	switch {
	case err != nil:
		return f, r, re, fmt.Errorf("read the record of %s: %w", f, err)
	case v.Name != f.Name() || v.Version != f.Version() || v.Build != f.Build():
		return f, r, re, fmt.Errorf("the record of %s is that of %s-%s-%s", f, v.Name, v.Version, v.Build)
	case len(v.MD5) != len(r.MD5) || len(v.SHA256) != len(r.SHA256):
		return f, r, re, fmt.Errorf("the record of %s has a hash of a wrong length", f)
	}
	var attestations [32]byte
	if sum := v.AttestationsSHA256; sum != nil {
		if len(*sum) != len(attestations) {
			return f, r, re, fmt.Errorf("the record of %s has a hash of a wrong length", f)
		}
		copy(attestations[:], *sum)
	}
	return f, conda.Record{
		Name: v.Name, Version: v.Version, Build: v.Build, BuildNumber: v.BuildNumber, Subdir: subdir, AttestationsSHA256: attestations,
		Depends: v.Depends, Constrains: v.Constrains, Noarch: v.Noarch, License: v.License, LicenseFamily: v.LicenseFamily,
		Features: v.Features, TrackFeatures: v.TrackFeatures, PythonSitePackagesPath: v.PythonSitePackagesPath,
		Purls: v.Purls, ExtraDepends: v.ExtraDepends, Flags: v.Flags, TimestampMS: v.TimestampMS,
		MD5: [16]byte(v.MD5), SHA256: [32]byte(v.SHA256), Size: v.Size, IndexedMS: v.IndexedMS,
	}, conda.RunExports(v.RunExports), nil
}
