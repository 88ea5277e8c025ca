package db_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/catalog"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/index"
)

// object is a JSON object, or a map of msgpack.
type object = map[string]any

// flatRecord is a record as repodata.json should have it, put together field by field.
func flatRecord(r conda.Record) object {
	o := object{
		"name": r.Name, "version": r.Version, "build": r.Build, "build_number": r.BuildNumber, "subdir": r.Subdir.String(), "size": r.Size,
		"depends": append([]string{}, r.Depends...), "md5": hex.EncodeToString(r.MD5[:]), "sha256": hex.EncodeToString(r.SHA256[:]), "indexed_timestamp": r.IndexedMS,
	}
	for k, s := range map[string]string{"license": r.License, "noarch": r.Noarch} {
		if s != "" {
			o[k] = s
		}
	}
	for k, l := range map[string][]string{"constrains": r.Constrains, "flags": r.Flags} {
		if len(l) > 0 {
			o[k] = l
		}
	}
	return o
}

func exportsOf(re conda.RunExports) object {
	o := object{}
	if len(re.Weak) > 0 {
		o["weak"] = re.Weak
	}
	return o
}

// modelIndex is what the index files of a place should say.
type modelIndex struct {
	repodata, runExports object
	shards               map[string]object
	v3                   int
}

// index predicts the files of a place.
func (m *model) index(t *testing.T, p index.Place) modelIndex {
	t.Helper()
	x := modelIndex{shards: map[string]object{}}
	sections := func() object { return object{"packages": object{}, "packages.conda": object{}, "removed": []string{}} }
	flat := sections()
	exports := object{"packages": object{}, "packages.conda": object{}, "info": object{"subdir": p.Subdir.String(), "version": 1}}
	for key, f := range m.files {
		l, known := f.labels[p.Label]
		if key.Subdir != p.Subdir || !known || l.out || f.deleted || f.purged {
			continue
		}
		name := key.File.Name()
		if x.shards[name] == nil {
			x.shards[name] = sections()
		}
		if f.yanked {
			for _, o := range []object{flat, x.shards[name]} {
				o["removed"] = append(o["removed"].([]string), key.File.String())
				slices.Sort(o["removed"].([]string))
			}
			continue
		}
		record, runExports, err := f.patch.Apply(f.pkg.Record, f.pkg.RunExports, f.pkg.V3)
		if err != nil {
			t.Fatal(err)
		}
		record.IndexedMS = l.at.UnixMilli()
		sharded := flatRecord(record)
		sharded["run_exports"] = exportsOf(runExports)
		f.put(flat, flatRecord(record))
		f.put(x.shards[name], sharded)
		section := map[bool]string{true: "packages.conda", false: "packages"}[key.File.Ext() == conda.ExtConda]
		exports[section].(object)[key.File.String()] = object{"run_exports": exportsOf(runExports)}
		if f.pkg.V3 {
			x.v3++
		}
	}
	flat["repodata_version"] = 1
	flat["info"] = x.info(p)
	x.repodata, x.runExports = flat, exports
	return x
}

func (x modelIndex) info(p index.Place) object {
	o := object{"subdir": p.Subdir.String()}
	if x.v3 > 0 {
		o["repodata_revisions"] = object{"v3": object{"n_packages": x.v3}}
	}
	return o
}

// put adds a record where it belongs.
func (f *modelFile) put(into, record object) {
	ext := f.key.File.Ext()
	if !f.pkg.V3 {
		into[map[bool]string{true: "packages.conda", false: "packages"}[ext == conda.ExtConda]].(object)[f.key.File.String()] = record
		return
	}
	if into["v3"] == nil {
		into["v3"] = object{"conda": object{}, "tar.bz2": object{}}
	}
	into["v3"].(object)[ext[1:]].(object)[f.key.File.Stem()] = record
}

// plain is v as indented JSON, digests in hexadecimal, which is easy to compare.
func plain(t *testing.T, v any) string {
	t.Helper()
	return string(must(json.MarshalIndent(legible(v), "", " "))(t))
}

func legible(v any) any {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case object:
		out := object{}
		for k, e := range v {
			out[k] = legible(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = legible(e)
		}
		return out
	}
	return v
}

// whole reads a file of an index to its end; of one that is compressed, its content.
func whole(t *testing.T, f *index.File, compressed bool) []byte {
	t.Helper()
	r := f.Open(t.Context())
	b := must(io.ReadAll(r))(t)
	if err := r.Close(); err != nil || int64(len(b)) != f.Size() {
		t.Errorf("read %d bytes where %d were announced, %v", len(b), f.Size(), err)
	}
	if compressed {
		return inflate(t, b)
	}
	return b
}

// verify compares what readers of a place get with what the model predicts.
func (w *modelWorld) verify(t *testing.T, p index.Place) {
	t.Helper()
	want, gen := w.model.index(t, p), w.model.places[p]
	file := func(n index.Name, compressed bool) []byte {
		f := must(w.index.File(t.Context(), p, w.channel.CreatedAt, n))(t)
		if f.Number != gen.number || gen.number > 0 && !f.CommittedAt.Equal(gen.at) {
			t.Errorf("%s of %v is of generation %d at %s, want %d at %s", n, p, f.Number, f.CommittedAt, gen.number, gen.at)
		}
		return whole(t, f, compressed)
	}
	repodata, exports := file(index.RepodataJSON, false), file(index.RunExportsJSON, false)
	if !bytes.Equal(repodata, file(index.RepodataZst, true)) || !bytes.Equal(exports, file(index.RunExportsZst, true)) {
		t.Errorf("%v: a compressed file is another than the plain one", p)
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{{"repodata.json", json.RawMessage(repodata), want.repodata}, {"run_exports.json", json.RawMessage(exports), want.runExports}} {
		var got object
		if err := json.Unmarshal(c.got.(json.RawMessage), &got); err != nil {
			t.Fatalf("%v: %s: %v", p, c.what, err)
		}
		if diff := cmp.Diff(plain(t, c.want), plain(t, got)); diff != "" {
			t.Errorf("%v: %s (-want +got): %s", p, c.what, diff)
		}
	}
	w.verifyShards(t, p, want, gen, file(index.ShardIndex, true))
}

func (w *modelWorld) verifyShards(t *testing.T, p index.Place, want modelIndex, gen modelPlace, raw []byte) {
	t.Helper()
	var got struct {
		Info    object            `msgpack:"info"`
		Shards  map[string][]byte `msgpack:"shards"`
		Version int               `msgpack:"version"`
	}
	if err := msgpack.Unmarshal(raw, &got); err != nil {
		t.Fatalf("%v: shard index: %v", p, err)
	}
	info := want.info(p)
	at := gen.at
	if gen.number == 0 {
		at = w.channel.CreatedAt
	}
	maps.Copy(info, object{"base_url": "./", "shards_base_url": "./shards/", "created_at": at.UTC().Format("2006-01-02T15:04:05Z")})
	if diff := cmp.Diff(plain(t, info), plain(t, got.Info)); diff != "" || got.Version != 1 {
		t.Errorf("%v: shard index, version %d, info (-want +got): %s", p, got.Version, diff)
	}
	if a, b := slices.Sorted(maps.Keys(want.shards)), slices.Sorted(maps.Keys(got.Shards)); !slices.Equal(a, b) {
		t.Errorf("%v: shards of %q, want %q", p, b, a)
	}
	for name, sum := range got.Shards {
		var shard object
		if err := msgpack.Unmarshal(inflate(t, must(w.index.Shard(t.Context(), p, [32]byte(sum)))(t)), &shard); err != nil {
			t.Fatalf("%v: shard of %s: %v", p, name, err)
		}
		if diff := cmp.Diff(plain(t, want.shards[name]), plain(t, shard)); diff != "" {
			t.Errorf("%v: shard of %s (-want +got): %s", p, name, diff)
		}
	}
}

// verifyLines compares the lists of packages.
func (w *modelWorld) verifyLines(t *testing.T) {
	t.Helper()
	got := map[string]modelLine{}
	for _, p := range must(w.Packages(t.Context(), catalog.Query{Channels: []int64{w.channel.ID}, Limit: 200}))(t) {
		got[p.Name] = modelLine{p.Latest, p.Subdirs, p.Artifacts, p.UpdatedAt}
	}
	if diff := cmp.Diff(w.model.lines(), got, cmp.AllowUnexported(modelLine{})); diff != "" {
		t.Errorf("packages (-want +got): %s", diff)
	}
}

// verifyBytes compares where the bytes of every file are found.
func (w *modelWorld) verifyBytes(t *testing.T) {
	t.Helper()
	for _, p := range w.places {
		for key, f := range w.model.files {
			if key.Subdir != p.Subdir {
				continue
			}
			l, known := f.labels[p.Label]
			want := "not_found"
			if known && !l.out && !f.deleted && !f.purged {
				want = fmt.Sprintf("%x %d %s", f.pkg.Record.SHA256, f.pkg.Record.Size, l.at)
			}
			there, err := w.Locate(t.Context(), p, key.File)
			got := string(fault.CodeOf(err))
			if err == nil {
				got = fmt.Sprintf("%x %d %s", there.SHA256, there.Size, there.At)
			}
			if got != want {
				t.Errorf("%v: %s is found at %s, want %s", p, key.File, got, want)
			}
		}
	}
}

func samePatch(a, b conda.Patch) bool { return asText(a) == asText(b) }

func asText(p conda.Patch) string {
	if p.IsZero() {
		return ""
	}
	b, _ := json.Marshal(p) // a patch can always be written
	return string(b)
}
