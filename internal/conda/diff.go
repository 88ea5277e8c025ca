package conda

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
)

// Diff says in which fields two records differ, in order of the fields' names: a line each, the field as
// the index calls it and both values as JSON, `license: "MIT" → "BSD-3-Clause"`. An empty list is the same
// as none. Values are whole and may hold any text.
func Diff(a, b Record) []string {
	var lines []string
	others := b.fields()
	for i, f := range a.fields() {
		if !same(f.value, others[i].value) {
			lines = append(lines, f.name+": "+asJSON(f.value)+" → "+asJSON(others[i].value))
		}
	}
	return lines
}

// Equal reports whether two records say the same. An empty list is the same as none.
func (r Record) Equal(o Record) bool {
	others := o.fields()
	for i, f := range r.fields() {
		if !same(f.value, others[i].value) {
			return false
		}
	}
	return true
}

// field is one field of a record: a string, a number, a digest, a list or a map of lists.
type field struct {
	name  string
	value any
}

// fields are all fields by their names in the index, in order.
func (r Record) fields() []field {
	return []field{
		{"attestations_sha256", r.AttestationsSHA256},
		{"build", r.Build},
		{"build_number", r.BuildNumber},
		{"constrains", r.Constrains},
		{"depends", r.Depends},
		{"extra_depends", r.ExtraDepends},
		{"features", r.Features},
		{"flags", r.Flags},
		{"indexed_timestamp", r.IndexedMS},
		{"license", r.License},
		{"license_family", r.LicenseFamily},
		{"md5", r.MD5},
		{"name", r.Name},
		{"noarch", r.Noarch},
		{"purls", r.Purls},
		{"python_site_packages_path", r.PythonSitePackagesPath},
		{"sha256", r.SHA256},
		{"size", r.Size},
		{"subdir", r.Subdir},
		{"timestamp", r.TimestampMS},
		{"track_features", r.TrackFeatures},
		{"version", r.Version},
	}
}

// same compares two values of one field.
func same(a, b any) bool {
	switch a := a.(type) {
	case []string:
		return slices.Equal(a, b.([]string))
	case map[string][]string:
		return maps.EqualFunc(a, b.(map[string][]string), slices.Equal[[]string])
	}
	return a == b
}

// asJSON writes the value of a field as the index does.
func asJSON(v any) string {
	switch d := v.(type) {
	case [16]byte:
		v = hex.EncodeToString(d[:])
	case [32]byte:
		v = hex.EncodeToString(d[:])
	case Subdir:
		v = d.String()
	case []string:
		if d == nil {
			v = []string{}
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // matchspecs are full of < and >
	_ = e.Encode(v)        // strings, numbers, lists and maps of them
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
