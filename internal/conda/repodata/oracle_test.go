package repodata

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/conda"
)

// drawArtifact draws a record of any strings; only the parts of file names keep to their grammar.
func drawArtifact(t *rapid.T) listed {
	name := rapid.StringMatching(`[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,3})?`).Draw(t, "name")
	version := rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,2})?`).Draw(t, "version")
	build := rapid.StringMatching(`[a-z0-9_]{1,4}`).Draw(t, "build")
	ext := rapid.SampledFrom([]string{conda.ExtConda, conda.ExtTarBz2}).Draw(t, "ext")
	f, err := conda.ParseFilename(name + "-" + version + "-" + build + ext)
	if err != nil {
		t.Fatal(err)
	}
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.StringMatching(`[<>&"'\\\x00-\x7f]{0,9}`), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 9), func(b []byte) string { return string(b) }))
	list := rapid.SliceOfN(text, 0, 4)
	draw := func(label string) string { return text.Draw(t, label) }
	return listed{file: f, rec: conda.Record{
		Name: name, Version: version, Build: build, BuildNumber: rapid.Uint64Max(1<<63-1).Draw(t, "number"), Subdir: conda.Noarch(),
		Depends: list.Draw(t, "depends"), Constrains: list.Draw(t, "constrains"), Noarch: draw("noarch"),
		License: draw("license"), LicenseFamily: draw("family"), Features: draw("features"), TrackFeatures: draw("track"),
		PythonSitePackagesPath: draw("path"), Purls: list.Draw(t, "purls"), Flags: list.Draw(t, "flags"),
		ExtraDepends: rapid.MapOfN(rapid.StringMatching(`[a-z0-9]{1,3}`), list, 0, 2).Draw(t, "extras"),
		TimestampMS:  rapid.Int64().Draw(t, "timestamp"), Size: rapid.Int64().Draw(t, "size"), IndexedMS: rapid.Int64().Draw(t, "indexed"),
		MD5:    [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "md5")),
		SHA256: [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sha256")),
	}, re: conda.RunExports{Weak: list.Draw(t, "weak"), Strong: list.Draw(t, "strong"), Noarch: list.Draw(t, "exports of noarch"),
		WeakConstrains: list.Draw(t, "weak constrains"), StrongConstrains: list.Draw(t, "strong constrains")}}
}

// object drops what is empty, except depends.
func object(m map[string]any) map[string]any {
	for k, v := range m {
		switch v := v.(type) {
		case string:
			if v == "" && k != "build" && k != "name" && k != "version" && k != "subdir" {
				delete(m, k)
			}
		case []string:
			if k == "depends" && v == nil {
				m[k] = []string{}
			} else if len(v) == 0 && k != "depends" {
				delete(m, k)
			}
		}
	}
	return m
}

// naiveRecord is the record as channel-format has it, said once more in another way.
func naiveRecord(r conda.Record) map[string]any {
	m := object(map[string]any{
		"build": r.Build, "build_number": r.BuildNumber, "constrains": r.Constrains, "depends": r.Depends,
		"features": r.Features, "flags": r.Flags, "indexed_timestamp": r.IndexedMS, "license": r.License,
		"license_family": r.LicenseFamily, "md5": hex.EncodeToString(r.MD5[:]), "name": r.Name, "noarch": r.Noarch,
		"purls": r.Purls, "python_site_packages_path": r.PythonSitePackagesPath, "sha256": hex.EncodeToString(r.SHA256[:]),
		"size": r.Size, "subdir": r.Subdir.String(), "track_features": r.TrackFeatures, "version": r.Version,
	})
	if r.TimestampMS != 0 {
		m["timestamp"] = r.TimestampMS
	}
	if len(r.ExtraDepends) > 0 {
		extras := make(map[string]any)
		for k, v := range r.ExtraDepends {
			extras[k] = append([]string{}, v...)
		}
		m["extra_depends"] = extras
	}
	return m
}

func naiveExports(e conda.RunExports) map[string]any {
	return map[string]any{"run_exports": object(map[string]any{"weak": e.Weak, "strong": e.Strong, "noarch": e.Noarch,
		"weak_constrains": e.WeakConstrains, "strong_constrains": e.StrongConstrains})}
}

// naive is a whole file: every value by encoding/json.
func naive(info map[string]any, all []listed, value func(listed) map[string]any) map[string]any {
	tars, condas := make(map[string]any), make(map[string]any)
	for _, a := range all {
		if a.file.Ext() == conda.ExtConda {
			condas[a.file.String()] = value(a)
		} else {
			tars[a.file.String()] = value(a)
		}
	}
	return map[string]any{"info": info, "packages": tars, "packages.conda": condas}
}

// canonical is v as encoding/json writes and reads it, numbers kept exact.
func canonical(t *rapid.T, b []byte) any {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil || dec.More() {
		t.Fatalf("no JSON, or more than one value: %v in %s", err, b)
	}
	return v
}

// drawPieces cuts the members of one extension into pieces at random, in order of file names.
func drawPieces(t *rapid.T, m *maker, all []listed, ext string, member func(listed) []byte) []Piece {
	var ps []Piece
	var run [][]byte
	for _, a := range all {
		if a.file.Ext() != ext {
			continue
		}
		run = append(run, member(a))
		if rapid.Bool().Draw(t, "cut") {
			ps, run = append(ps, m.piece(",", run...)), nil
		}
	}
	if len(run) > 0 {
		ps = append(ps, m.piece(",", run...))
	}
	return ps
}

// stemmed is the member of a record of revision 3: keyed by the file name without its extension.
func stemmed(a listed) []byte {
	m := Member(a.file, a.rec)
	return append(appendJSON(nil, a.file.Stem()), m[len(appendJSON(nil, a.file.String())):]...)
}

// Any records, cut into any pieces, are the file that encoding/json would make of them.
func TestFilesEqualOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMaker()
		all := rapid.SliceOfNDistinct(rapid.Custom(drawArtifact), 0, 12, func(a listed) string { return a.file.String() }).Draw(rt, "artifacts")
		slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.file.String(), b.file.String()) })
		third := rapid.IntRange(0, len(all)).Draw(rt, "of revision 3")
		old, v3 := all[third:], all[:third]
		gone := all[:rapid.IntRange(0, len(all)).Draw(rt, "removed")]
		member := func(a listed) []byte { return Member(a.file, a.rec) }
		exports := func(a listed) []byte { return RunExportsMember(a.file, a.re) }
		name := func(a listed) []byte { return appendJSON(nil, a.file.String()) }
		for _, tt := range []struct {
			got  File
			want any
		}{
			{Repodata(conda.Noarch(), Records{
				TarBz2: drawPieces(rt, m, old, conda.ExtTarBz2, member), Conda: drawPieces(rt, m, old, conda.ExtConda, member),
				TarBz2V3: drawPieces(rt, m, v3, conda.ExtTarBz2, stemmed), CondaV3: drawPieces(rt, m, v3, conda.ExtConda, stemmed), V3: len(v3),
				Removed: append(drawPieces(rt, m, gone, conda.ExtConda, name), drawPieces(rt, m, gone, conda.ExtTarBz2, name)...),
			}), naiveRepodata(old, v3, gone)},
			{RunExportsFile(conda.Noarch(), drawPieces(rt, m, all, conda.ExtTarBz2, exports), drawPieces(rt, m, all, conda.ExtConda, exports)),
				naive(map[string]any{"subdir": "noarch", "version": 1}, all, func(a listed) map[string]any { return naiveExports(a.re) })},
		} {
			want, err := json.Marshal(tt.want)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := gocmp.Diff(canonical(rt, want), canonical(rt, written(t, tt.got, m))); diff != "" {
				rt.Fatalf("(-oracle +file): %s", diff)
			}
		}
	})
}

// naiveRepodata is repodata.json with old records, those of revision 3, and the names of removed files.
func naiveRepodata(old, v3, removed []listed) map[string]any {
	info := map[string]any{"subdir": "noarch"}
	file := naive(info, old, func(a listed) map[string]any { return naiveRecord(a.rec) })
	file["repodata_version"] = 1
	names := []string{}
	for _, ext := range []string{conda.ExtConda, conda.ExtTarBz2} {
		for _, a := range removed {
			if a.file.Ext() == ext {
				names = append(names, a.file.String())
			}
		}
	}
	file["removed"] = names
	if len(v3) > 0 {
		info["repodata_revisions"] = map[string]any{"v3": map[string]any{"n_packages": len(v3)}}
		buckets := map[string]map[string]any{"conda": {}, "tar.bz2": {}}
		for _, a := range v3 {
			buckets[strings.TrimPrefix(a.file.Ext(), ".")][a.file.Stem()] = naiveRecord(a.rec)
		}
		file["v3"] = buckets
	}
	return file
}
