package repodata

import (
	"encoding/hex"
	"maps"
	"slices"

	"sluice/internal/conda"
)

// form is one way to write a record: as JSON or as msgpack. Keys are written in the order in which
// key is called; a value follows each.
type form interface {
	open() // begins a map
	close()
	key(s string)
	text(s string)
	number(n int64)
	digest(d []byte)
	list(ss []string)
}

// memberRoom is what most members have room in, in bytes.
const memberRoom = 1 << 10

// Member makes the member of f in repodata.json: `"FILE":{…}` with keys in order, hashes in hexadecimal,
// nothing null, nothing empty but depends. It has no run_exports (CEP 21).
func Member(f conda.Filename, r conda.Record) []byte {
	j := jsonForm{b: make([]byte, 0, memberRoom)}
	j.key(f.String())
	writeRecord(&j, r, nil)
	return j.b
}

// ShardMember makes the member of f in a shard: a msgpack str and a map with the same fields as
// Member's, but hashes as bin, and run_exports always, even empty: without it clients would download
// the package to look (CEP 21).
func ShardMember(f conda.Filename, r conda.Record, re conda.RunExports) []byte {
	p := packForm{b: appendStr(make([]byte, 0, memberRoom), f.String())}
	writeRecord(&p, r, &re)
	return p.b
}

// MemberV3 makes the member of f below "v3" in repodata.json (CEP 48), whose keys have no extension.
func MemberV3(f conda.Filename, r conda.Record) []byte {
	j := jsonForm{b: make([]byte, 0, memberRoom)}
	j.key(f.Stem())
	writeRecord(&j, r, nil)
	return j.b
}

// ShardMemberV3 makes the member of f below "v3" in a shard.
func ShardMemberV3(f conda.Filename, r conda.Record, re conda.RunExports) []byte {
	p := packForm{b: appendStr(make([]byte, 0, memberRoom), f.Stem())}
	writeRecord(&p, r, &re)
	return p.b
}

// RemovedMember makes the member of a file name in the list of removed files of repodata.json (CEP 36).
func RemovedMember(filename string) []byte { return appendJSON(nil, filename) }

// RunExportsMember makes the member of f in run_exports.json (CEP 12): `"FILE":{"run_exports":{…}}`.
// An artifact that exports nothing has one, too.
func RunExportsMember(f conda.Filename, re conda.RunExports) []byte {
	var j jsonForm
	j.key(f.String())
	j.open()
	writeRunExports(&j, re)
	j.close()
	return j.b
}

// ShardIndexMember makes the member of a package name in the shard index (CEP 16): the name as a str,
// the SHA-256 of its shard's file as a bin of 32 bytes.
func ShardIndexMember(name string, sha256 [32]byte) []byte {
	return appendBin(appendStr(nil, name), sha256[:])
}

// writeRecord writes r as a map, its keys in order (CEP 36, 47, 50). With re it has run_exports.
func writeRecord(w form, r conda.Record, re *conda.RunExports) {
	w.open()
	if r.AttestationsSHA256 != [32]byte{} {
		field(w, "attestations_sha256", hex.EncodeToString(r.AttestationsSHA256[:])) // text in shards, too (CEP 50)
	}
	field(w, "build", r.Build)
	w.key("build_number")
	w.number(int64(r.BuildNumber))
	optionalList(w, "constrains", r.Constrains)
	w.key("depends")
	w.list(r.Depends)
	writeExtras(w, r.ExtraDepends)
	optional(w, "features", r.Features)
	optionalList(w, "flags", r.Flags)
	w.key("indexed_timestamp")
	w.number(r.IndexedMS)
	optional(w, "license", r.License)
	optional(w, "license_family", r.LicenseFamily)
	w.key("md5")
	w.digest(r.MD5[:])
	field(w, "name", r.Name)
	optional(w, "noarch", r.Noarch)
	optionalList(w, "purls", r.Purls)
	optional(w, "python_site_packages_path", r.PythonSitePackagesPath)
	if re != nil {
		writeRunExports(w, *re)
	}
	w.key("sha256")
	w.digest(r.SHA256[:])
	w.key("size")
	w.number(r.Size)
	field(w, "subdir", r.Subdir.String())
	if r.TimestampMS != 0 {
		w.key("timestamp")
		w.number(r.TimestampMS)
	}
	optional(w, "track_features", r.TrackFeatures)
	field(w, "version", r.Version)
	w.close()
}

func field(w form, key, s string) {
	w.key(key)
	w.text(s)
}

func optional(w form, key, s string) {
	if s != "" {
		field(w, key, s)
	}
}

func optionalList(w form, key string, ss []string) {
	if len(ss) > 0 {
		w.key(key)
		w.list(ss)
	}
}

func writeExtras(w form, extras map[string][]string) {
	if len(extras) == 0 {
		return
	}
	w.key("extra_depends")
	w.open()
	for _, k := range slices.Sorted(maps.Keys(extras)) {
		w.key(k)
		w.list(extras[k])
	}
	w.close()
}

func writeRunExports(w form, re conda.RunExports) {
	w.key("run_exports")
	w.open()
	optionalList(w, "noarch", re.Noarch)
	optionalList(w, "strong", re.Strong)
	optionalList(w, "strong_constrains", re.StrongConstrains)
	optionalList(w, "weak", re.Weak)
	optionalList(w, "weak_constrains", re.WeakConstrains)
	w.close()
}
