package test

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/test/clients"
)

// tide is a small package in both formats.
func tide(t *testing.T, version string) []parcel {
	t.Helper()
	p := build.Package{Name: "tide", Version: version, Build: "0", Subdir: "noarch", Noarch: "generic", Files: map[string][]byte{"share/tide": []byte(version)}}
	return []parcel{pack(t, p, conda.ExtConda), pack(t, p, conda.ExtTarBz2)}
}

// TestFilesOverHTTP asks for every kind of file in every way in which a client may ask.
func TestFilesOverHTTP(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t, w.forge, tide(t, "1.0")...)
		for _, p := range filesOf(t, w, w.forge, "", "tide-1.0-0.conda", "tide-1.0-0.tar.bz2") {
			t.Run(path.Base(p), func(t *testing.T) {
				f := file{w, p, string(w.must(t, p))}
				f.validators(t)
				f.ranges(t)
				f.methods(t)
			})
		}
		t.Run("a validator for each file", w.validatorsDiffer)
		t.Run("pages of other sites", w.forBrowsers)
	})
}

// file is one file of a channel, with the bytes that it has.
type file struct {
	*world
	path, body string
}

// ask makes a request with headers given as name, value, name, value.
func (f file) ask(t *testing.T, method string, headers ...string) (status int, h http.Header, body string) {
	t.Helper()
	req := f.request(t, method, f.path, "", nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return servertest.Do(t, req)
}

// validators checks ETag, 304, HEAD, caching and the absence of any encoding.
func (f file) validators(t *testing.T) {
	status, h, body := f.ask(t, http.MethodGet, "Accept-Encoding", "gzip, br, zstd")
	tag := h.Get("ETag")
	if status != 200 || body != f.body || h.Get("Content-Encoding") != "" {
		t.Errorf("GET = %d, %d bytes, Content-Encoding %q, want all %d bytes as they are", status, len(body), h.Get("Content-Encoding"), len(f.body))
	}
	if !strings.HasPrefix(tag, `"`) || len(tag) < 10 {
		t.Errorf("ETag = %s, want a strong one", tag)
	}
	want := "public, max-age=30"
	if strings.Contains(f.path, "tide-1.0") || strings.Contains(f.path, "/shards/") {
		want = "public, max-age=31536000, immutable"
	}
	if got := h.Get("Cache-Control"); got != want {
		t.Errorf("Cache-Control = %q, want %q", got, want)
	}
	if kind := h.Get("Content-Type"); kind == "" || strings.HasSuffix(f.path, ".zst") != (kind == "application/zstd") {
		t.Errorf("Content-Type = %q", kind)
	}
	headStatus, head, empty := f.ask(t, http.MethodHead)
	for _, name := range []string{"ETag", "Cache-Control", "Content-Type", "Accept-Ranges", "Last-Modified"} {
		if head.Get(name) != h.Get(name) {
			t.Errorf("HEAD has %s %q, GET %q", name, head.Get(name), h.Get(name))
		}
	}
	if headStatus != 200 || empty != "" || head.Get("Content-Length") != fmt.Sprint(len(f.body)) {
		t.Errorf("HEAD = %d, Content-Length %s, body %q, want %d", headStatus, head.Get("Content-Length"), empty, len(f.body))
	}
	for _, held := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		if status, h, body := f.ask(t, http.MethodGet, "If-None-Match", held); status != 304 || body != "" || h.Get("ETag") != tag || h.Get("Cache-Control") != want {
			t.Errorf("If-None-Match: %s = %d, ETag %s, Cache-Control %q, want 304 with both again", held, status, h.Get("ETag"), h.Get("Cache-Control"))
		}
	}
	if status, _, body := f.ask(t, http.MethodGet, "If-None-Match", `"other"`); status != 200 || body != f.body {
		t.Errorf("If-None-Match: other = %d with %d bytes, want 200 with all", status, len(body))
	}
}

// ranges checks what rattler and conda ask for: suffixes, also longer than the file, and the rest of a file.
func (f file) ranges(t *testing.T) {
	_, h, _ := f.ask(t, http.MethodHead)
	n := len(f.body)
	last := min(10, n)
	for _, tt := range []struct {
		ask, condition, body string
		status               int
	}{
		{"bytes=0-3", "", f.body[:4], 206},
		{"bytes=4-", "", f.body[4:], 206},
		{fmt.Sprintf("bytes=-%d", last), "", f.body[n-last:], 206},
		{"bytes=-65536", "", f.body, 206}, // every file here is smaller
		{fmt.Sprintf("bytes=%d-", n), "", "", 416},
		{"bytes=0-3", h.Get("ETag"), f.body[:4], 206},
		{"bytes=0-3", `"other"`, f.body, 200},
		{"bytes=0-3", "Mon, 02 Jan 2006 15:04:05 GMT", f.body, 200},
	} {
		headers := []string{"Range", tt.ask}
		if tt.condition != "" {
			headers = append(headers, "If-Range", tt.condition)
		}
		status, h, body := f.ask(t, http.MethodGet, headers...)
		if status != tt.status || status != 416 && body != tt.body || (status == 200) != (h.Get("Content-Range") == "") {
			t.Errorf("Range: %s, If-Range: %s = %d, Content-Range %q, %d bytes, want %d with %d", tt.ask, tt.condition, status, h.Get("Content-Range"), len(body), tt.status, len(tt.body))
		}
	}
}

// methods makes sure that no method meets a 405, after which clients send again, or a redirect.
func (f file) methods(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if status, _, _ := f.ask(t, method); status != 404 {
			t.Errorf("%s = %d, want 404", method, status)
		}
	}
	for _, crooked := range []string{"/" + f.path, strings.Replace(f.path, "/forge/", "/forge//", 1), "/x/.." + f.path, f.path + "/"} {
		req := f.request(t, http.MethodGet, "/", "", nil)
		req.URL.Path = crooked
		if status, _, _ := servertest.Do(t, req); status != 404 {
			t.Errorf("GET %s = %d, want 404", crooked, status)
		}
	}
}

// validatorsDiffer makes sure that no two files share an ETag: libmamba sends that of repodata.json when it
// asks for the shard index. Nor do two generations of the same file.
func (w *world) validatorsDiffer(t *testing.T) {
	other := w.Channel(t, w.ann, "harbour", channel.Public)
	w.fill(t, other, tide(t, "1.0")...)
	seen := map[string]string{}
	note := func(paths []string, when string) {
		for _, p := range paths {
			_, h, _ := w.Get(t, p, "")
			if before, ok := seen[h.Get("ETag")]; ok {
				t.Errorf("%s (%s) has the ETag of %s: %s", p, when, before, h.Get("ETag"))
			}
			seen[h.Get("ETag")] = p + " (" + when + ")"
		}
	}
	files := []string{"tide-1.0-0.conda", "tide-1.0-0.tar.bz2"}
	note(filesOf(t, w, w.forge, "", files...), "first")
	note(filesOf(t, w, other, "", files...), "first")
	for _, subdir := range []string{"linux-64", "osx-arm64"} { // empty, all of them the same
		for _, name := range indexFiles {
			note([]string{"/forge/" + subdir + "/" + name, "/harbour/" + subdir + "/" + name}, "empty")
		}
	}
	w.fill(t, w.forge, tide(t, "1.1")...)
	for _, name := range indexFiles {
		note([]string{"/forge/noarch/" + name}, "second")
	}
}

var indexFiles = []string{"repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst", "run_exports.json", "run_exports.json.zst"}

// forBrowsers lets solvers that run in a page of another site read public channels.
func (w *world) forBrowsers(t *testing.T) {
	for _, p := range filesOf(t, w, w.forge, "", "tide-1.0-0.conda") {
		req := w.request(t, http.MethodGet, p, "", nil)
		req.Header.Set("Origin", "https://notebook.example.com")
		if status, h, _ := servertest.Do(t, req); status != 200 || h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s = %d, Access-Control-Allow-Origin %q, want *", p, status, h.Get("Access-Control-Allow-Origin"))
		}
	}
}

// TestEmptyChannel shows a channel in which nothing lies yet to every client: it is one, and it is empty.
func TestEmptyChannel(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		address := w.channelURL(w.forge)
		for _, via := range []string{"shards", "zst", "json"} {
			before := len(w.asked())
			var got struct{ Names []string }
			clients.NewUser(t).Drive(t, "read.py", "names", "--channel", address, "--via", via).Into(t, &got)
			if len(got.Names) != 0 {
				t.Errorf("via %s: %q, want nothing", via, got.Names)
			}
			wantSource(t, w.asked()[before:], via)
		}
		a := clients.NewUser(t).Drive(t, "read.py", "solve", "--channel", address, "--spec", "tide")
		if a.OK || !strings.Contains(a.Error, "No candidates were found for tide") {
			t.Errorf("py-rattler: %s, want no candidates", a.JSON)
		}
		a = clients.NewUser(t).Drive(t, "browser.cjs", "solve", "--channel", address, "--spec", "tide")
		if a.OK || !strings.Contains(a.Error, "No candidates were found for tide") {
			t.Errorf("the browser's client: %s, want no candidates", a.JSON)
		}
		ran := clients.NewUser(t).Rattler(t, "create", "--dry-run", "--prefix", t.TempDir(), "--channel", address, "tide")
		if ran.Status == 0 || !shows(ran.String(), "No candidates were found for tide") {
			t.Errorf("the rattler command: %s", ran)
		}
		for _, name := range indexFiles {
			clients.NewUser(t).Drive(t, "decode.py", address+"/noarch/"+name).Into(t, &struct{}{})
		}
		for _, subdir := range []string{"noarch", "linux-64", "linux-aarch64", "osx-arm64", "win-64", "emscripten-wasm32", "zos-z"} {
			none := map[string]any{}
			want := map[string]any{"info": map[string]any{"subdir": subdir}, "packages": none, "packages.conda": none, "removed": []any{}, "repodata_version": 1.0}
			got := w.contents(t, "/forge", subdir)
			if diff := cmp.Diff(want, got["repodata"]); diff != "" || len(got["shards"].(map[string]any)) != 0 {
				t.Errorf("%s has shards %v, repodata.json is: want (-), got (+)\n%s", subdir, got["shards"], diff)
			}
		}
	})
}

// TestCoolDown lets a user who takes nothing that is younger than three days go by the server's clock: what a
// package says of its age is the builder's word.
func TestCoolDown(t *testing.T) {
	t.Parallel()
	var ago atomic.Int64
	const day = 24 * time.Hour
	ago.Store(int64(10 * day))
	s := servertest.New(t, servertest.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }})
	w := newWorld(t, s)
	built := time.Now().Add(-30 * day).UnixMilli()
	publish := func(version string) {
		p := build.Package{Name: "tide", Version: version, Build: "0", Subdir: "noarch", Noarch: "generic", TimestampMS: built}
		w.fill(t, w.forge, pack(t, p, conda.ExtConda))
	}
	publish("1.0")
	ago.Store(int64(day))
	publish("1.1")

	for exclude, want := range map[string]string{"3d": "tide-1.0-0", "1h": "tide-1.1-0"} {
		u, prefix := clients.NewUser(t), t.TempDir()
		ran := u.Rattler(t, "create", "--exclude-newer", exclude, "--prefix", prefix, "--channel", w.channelURL(w.forge), "tide")
		listed := u.Rattler(t, "list", "--prefix", prefix)
		if ran.Status != 0 || !strings.Contains(strings.Join(strings.Fields(listed.Stdout), "-"), want) {
			t.Errorf("--exclude-newer %s: want %s installed\n%s\n%s", exclude, want, ran, listed)
		}
	}
}

// TestAddresses installs a package whose file name has what clients write into addresses in different ways,
// by the channel's own address and by that of its label.
func TestAddresses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		p := pack(t, build.Package{
			Name: "_tide.x-y", Version: "1!2.0.post1+local.1", Build: "h0_1.a+b", Subdir: "noarch", Noarch: "generic",
			Files: map[string][]byte{"bin/tide": []byte("#!/bin/sh\necho high\n")},
		}, conda.ExtConda)
		w.fill(t, w.forge, p)
		for _, channel := range []string{w.channelURL(w.forge), w.channelURL(w.forge) + "/", w.channelURL(w.forge) + "/label/main"} {
			for _, via := range []string{"shards", "json"} {
				var got struct{ Stdout string }
				clients.NewUser(t).Drive(t, "read.py", "install", "--channel", channel, "--via", via, "--spec", "_tide.x-y ==1!2.0.post1+local.1",
					"--prefix", t.TempDir(), "--run", "tide").Into(t, &got)
				if got.Stdout != "high\n" {
					t.Errorf("from %s via %s: %q", channel, via, got.Stdout)
				}
			}
		}
		for _, spelled := range []string{p.file, url.PathEscape(p.file), strings.NewReplacer("+", "%2B", "!", "%21", "_", "%5f").Replace(p.file)} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.channelURL(w.forge)+"/noarch/"+spelled, nil)
			if err != nil {
				t.Fatal(err)
			}
			if status, _, body := servertest.Do(t, req); status != 200 || body != string(p.body) {
				t.Errorf("GET %s = %d with %d bytes, want all %d", spelled, status, len(body), len(p.body))
			}
		}
	})
}

// TestPeek lets clients read info/index.json out of packages on the server, for which they fetch ranges.
func TestPeek(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	large := pack(t, build.Package{Name: "large", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Depends: []string{"hinge"}, Noise: 1 << 20}, conda.ExtConda)
	small := pack(t, build.Package{Name: "small", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Depends: []string{"hinge"}}, conda.ExtConda)
	old := pack(t, build.Package{Name: "old", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Depends: []string{"hinge"}}, conda.ExtTarBz2)
	w.fill(t, w.forge, large, small, old)
	for _, tt := range []struct {
		driver string
		parcel
		ranges bool
	}{
		{"read.py", large, true}, {"read.py", small, true}, {"read.py", old, false},
		{"peek.py", large, true}, {"peek.py", small, true}, {"peek.py", old, false},
	} {
		t.Run(tt.driver+" "+tt.file, func(t *testing.T) {
			args := []string{w.channelURL(w.forge) + "/noarch/" + tt.file}
			if tt.driver == "read.py" {
				args = append([]string{"inspect"}, args...)
			}
			before := len(w.asked())
			var got struct {
				Index struct {
					Name    string
					Depends []string
				}
			}
			clients.NewUser(t).Drive(t, tt.driver, args...).Into(t, &got)
			if got.Index.Name != nameOf(t, tt.file) || !slices.Equal(got.Index.Depends, []string{"hinge"}) {
				t.Errorf("index.json = %+v", got.Index)
			}
			if lines := w.asked()[before:]; tt.ranges != slices.Contains(lines, "GET /forge/noarch/"+tt.file+" 206") {
				t.Errorf("ranges asked for: want %v, got %q", tt.ranges, lines)
			}
		})
	}
}
