package test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/test/clients"
)

func TestCompare(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		parcels := odd(t)
		w.fill(t, w.forge, parcels...)
		folder := t.TempDir()
		for _, p := range parcels {
			os.MkdirAll(filepath.Join(folder, p.subdir), 0o700)
			os.WriteFile(filepath.Join(folder, p.subdir, p.file), p.body, 0o600)
		}
		ours := map[string]any{"noarch": w.contents(t, "noarch"), "linux-64": w.contents(t, "linux-64")}
		for _, by := range []string{"rattler", "conda-index"} {
			var got struct{ Subdirs map[string]any }
			clients.NewUser(t).Drive(t, "reference.py", "--by", by, folder).Into(t, &got)
			t.Log(by, cmp.Diff(got.Subdirs, ours))
		}
	})
}

func odd(t *testing.T) []parcel {
	full := build.Package{
		Name: "full", Version: "1!2.0.post1+local.1", Build: "h123_4", BuildNumber: 4, Subdir: "noarch", Noarch: "generic",
		Depends: []string{"_libgcc_mutex 0.1 main", "7za >=1,<2|>3", "r-base-4 1.*"}, Constrains: []string{"rival <0a0"},
		License: "MIT AND (Apache-2.0 OR BSD-3-Clause) — Ünïcode & <tags>", TimestampMS: 1_700_000_000_123,
		RunExports: conda.RunExports{Weak: []string{"full >=1!2.0"}, Strong: []string{"strong"}, Noarch: []string{"n"}, WeakConstrains: []string{"w <3"}, StrongConstrains: []string{"s <3"}},
	}
	plain := func(name, index string) build.Package {
		return build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch", Info: map[string][]byte{"index.json": []byte(index)}}
	}
	linux := func(p build.Package) build.Package { p.Subdir = "linux-64"; return p }
	var out []parcel
	add := func(p build.Package, ext string) { out = append(out, pack(t, p, ext)) }
	add(full, conda.ExtConda)
	add(full, conda.ExtTarBz2)
	add(build.Package{Name: "_libgcc_mutex", Version: "0.1", Build: "main", Subdir: "noarch"}, conda.ExtConda)
	add(build.Package{Name: "7za", Version: "2024a", Build: "0", Subdir: "linux-64"}, conda.ExtTarBz2)
	add(build.Package{Name: "r-base-4", Version: "1.1.1w", Build: "0", Subdir: "linux-64"}, conda.ExtConda)
	add(linux(plain("abi3", `{"name":"abi3","version":"1.0","build":"0","build_number":0,"subdir":"linux-64","noarch":"python","python_site_packages_path":"lib/python3.13t/site-packages","depends":[]}`)), conda.ExtConda)
	add(plain("oldgeneric", `{"name":"oldgeneric","version":"1.0","build":"0","build_number":0,"subdir":"noarch","noarch":true,"license":null,"timestamp":1500000000,"arch":null,"platform":null}`), conda.ExtTarBz2)
	add(plain("tracked", `{"name":"tracked","version":"1.0","build":"0","build_number":0,"subdir":"noarch","track_features":["a","b"],"features":null,"depends":["x"]}`), conda.ExtTarBz2)
	add(plain("trackedtoo", `{"name":"trackedtoo","version":"1.0","build":"0","build_number":0,"subdir":"noarch","track_features":"a,b c","features":"f","depends":["x"],"license_family":"MIT"}`), conda.ExtTarBz2)
	add(plain("purled", `{"name":"purled","version":"1.0","build":"0","build_number":0,"subdir":"noarch","purls":["pkg:pypi/b@1","pkg:pypi/a@1"],"depends":["x"],"unknown":{"a":1}}`), conda.ExtConda)
	add(plain("boastful", `{"name":"boastful","version":"1.0","build":"0","build_number":0,"subdir":"noarch","depends":[],"md5":"00","sha256":"00","size":7,"indexed_timestamp":5,"fn":"x.conda","url":"http://x/","channel":"x","platform":"linux","arch":"x86_64"}`), conda.ExtConda)
	return out
}

func (w *world) contents(t *testing.T, subdir string) map[string]any {
	get := func(name string) []byte {
		status, _, body := w.Get(t, "/forge/"+subdir+"/"+name, "")
		if status != http.StatusOK {
			t.Fatal(name, status, body)
		}
		return []byte(body)
	}
	js := func(name string) any {
		var v any
		if err := json.Unmarshal(get(name), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	mp := func(name string) map[string]any {
		d, _ := zstd.NewReader(bytes.NewReader(get(name)))
		defer d.Close()
		dec := msgpack.NewDecoder(d)
		var v map[string]any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return unbin(v).(map[string]any)
	}
	ix := mp("repodata_shards.msgpack.zst")
	shards := map[string]any{}
	for name, sum := range ix["shards"].(map[string]any) {
		shards[name] = mp("shards/" + sum.(string) + ".msgpack.zst")
	}
	return map[string]any{"repodata": js("repodata.json"), "run_exports": js("run_exports.json"), "shard_index": ix, "shards": shards}
}

func unbin(v any) any {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case map[string]any:
		for k := range v {
			v[k] = unbin(v[k])
		}
	case []any:
		for i := range v {
			v[i] = unbin(v[i])
		}
	}
	b, _ := json.Marshal(v)
	var x any
	json.Unmarshal(b, &x)
	return x
}
