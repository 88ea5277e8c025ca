package clients_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/test/clients"
)

const recipes = "../../docs/forge/template/recipes"

// A static is a channel of plain files, made by rattler's own indexer, and what was asked of it.
type static struct {
	url string

	mu    sync.Mutex
	asked []string // "METHOD path"
}

// serve indexes the packages below folder, SUBDIR/FILE, and serves them.
func serve(t *testing.T, folder string) *static {
	t.Helper()
	channel := t.TempDir()
	answer := clients.NewUser(t).Drive(t, "reference.py", "--keep", channel, folder)
	answer.Into(t, &struct{}{})
	s := &static{}
	files := http.FileServer(http.Dir(channel))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ends returns the last parts of the index paths that were asked for, each once.
func (s *static) ends() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]bool{}
	for _, path := range s.asked {
		if file := filepath.Base(path); strings.HasPrefix(file, "repodata") {
			found[file] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

type built struct {
	Built   []struct{ File, Path, Subdir string }
	Skipped []string
}

// build builds the forge against channel.
func build(t *testing.T, channel, output string) built {
	t.Helper()
	var b built
	clients.NewUser(t).Drive(t, "build.py",
		"--recipe", recipes, "--channel", channel, "--output", output).Into(t, &b)
	return b
}

// forge is a channel with the three packages of the forge.
func forge(t *testing.T) *static {
	t.Helper()
	output := t.TempDir()
	b := build(t, serve(t, t.TempDir()).url, output)
	if len(b.Built) != 3 || len(b.Skipped) != 0 {
		t.Fatalf("built %+v, want three packages and none skipped", b)
	}
	return serve(t, output)
}

func TestForge(t *testing.T) {
	t.Parallel()
	channel := forge(t)

	t.Run("second build", func(t *testing.T) {
		b := build(t, channel.url, t.TempDir())
		if want := []string{"tidecli", "tidelib", "tidewatch"}; len(b.Built) != 0 || !slices.Equal(b.Skipped, want) {
			t.Errorf("= %+v, want all skipped", b)
		}
	})
	for via, want := range map[string][]string{
		"shards": {"repodata_shards.msgpack.zst"},
		"zst":    {"repodata.json.zst"},
		"json":   {"repodata.json"},
	} {
		t.Run("install via "+via, func(t *testing.T) {
			channel.mu.Lock()
			channel.asked = nil
			channel.mu.Unlock()
			var got struct {
				Records []struct {
					FileName string `json:"file_name"`
					URL      string
				}
				Stdout string
			}
			clients.NewUser(t).Drive(t, "read.py", "install", "--channel", channel.url, "--via", via, "--spec", "tidewatch",
				"--prefix", t.TempDir(), "--run", "tidewatch", "dover").Into(t, &got)
			if len(got.Records) != 3 || !strings.HasPrefix(got.Records[0].URL, channel.url) {
				t.Errorf("records = %+v, want the three of %s", got.Records, channel.url)
			}
			if want := "the tide at dover is high (tidelib 1.0.0)\n1 places watched (tidewatch 1.0.0)\n"; got.Stdout != want {
				t.Errorf("stdout = %q, want %q", got.Stdout, want)
			}
			if diff := cmp.Diff(want, channel.ends()); diff != "" {
				t.Errorf("index files asked for: %s", diff)
			}
		})
	}
	t.Run("names", func(t *testing.T) {
		var got struct{ Names []string }
		clients.NewUser(t).Drive(t, "read.py", "names", "--channel", channel.url).Into(t, &got)
		if want := []string{"tidecli", "tidelib", "tidewatch"}; !slices.Equal(got.Names, want) {
			t.Errorf("= %q, want %q", got.Names, want)
		}
	})
	t.Run("query", func(t *testing.T) {
		var got struct {
			Records map[string]struct {
				Name       string
				RunExports struct{ Weak []string } `json:"run_exports"`
			}
		}
		clients.NewUser(t).Drive(t, "read.py", "query", "--channel", channel.url, "--spec", "tidelib").Into(t, &got)
		for url, r := range got.Records {
			if r.Name != "tidelib" || !slices.Equal(r.RunExports.Weak, []string{"tidelib >=1.0.0,<2"}) {
				t.Errorf("%s = %+v, want tidelib with its run exports", url, r)
			}
		}
		if len(got.Records) != 1 {
			t.Errorf("%d records, want 1", len(got.Records))
		}
	})
	t.Run("browser", func(t *testing.T) {
		var got struct {
			Records []struct {
				FileName string `json:"file_name"`
				SHA256   string
			}
		}
		clients.NewUser(t).Drive(t, "browser.cjs", "solve", "--channel", channel.url, "--spec", "tidewatch").Into(t, &got)
		if len(got.Records) != 3 || len(got.Records[0].SHA256) != 64 {
			t.Errorf("= %+v, want three records with hashes", got.Records)
		}
	})
	t.Run("rattler command", func(t *testing.T) {
		prefix := t.TempDir()
		u := clients.NewUser(t)
		if ran := u.Rattler(t, "create", "--prefix", prefix, "--channel", channel.url, "tidewatch"); ran.Status != 0 {
			t.Fatal(ran)
		}
		if ran := u.Rattler(t, "run", "--prefix", prefix, "tidewatch", "dover"); !strings.Contains(ran.Stdout, "1 places watched") {
			t.Error(ran)
		}
	})
	t.Run("unknown package", func(t *testing.T) {
		got := clients.NewUser(t).Drive(t, "read.py", "solve", "--channel", channel.url, "--spec", "tidegate")
		if got.OK || got.Kind != "SolverError" || !strings.Contains(got.Error, "No candidates were found for tidegate") {
			t.Errorf("= %+v, want the solver's refusal", got)
		}
	})
}

// TestIndexersAgree holds the two reference indexers against each other: where they differ, neither is
// one for us.
func TestIndexersAgree(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	u := clients.NewUser(t)
	for _, args := range [][]string{
		{"--type", "Conda", "--field", `depends=["tidelib >=1,<2"]`, "--field", `license="BSD-3-Clause"`},
		{"--type", "TarBz2", "--name=tidelib", "--field", `build_number=3`},
	} {
		args = append([]string{"--name=tide", "--version=1.0", "--build=h0_3", "--output", filepath.Join(folder, "noarch")}, args...)
		u.Drive(t, "assemble.py", args...).Into(t, &struct{}{})
	}
	index := func(by string) map[string]map[string]any {
		var got struct {
			Subdirs map[string]struct {
				Repodata map[string]json.RawMessage
			}
		}
		u.Drive(t, "reference.py", "--by", by, folder).Into(t, &got)
		all := map[string]map[string]any{}
		for _, list := range []string{"packages", "packages.conda"} {
			var records map[string]map[string]any
			if err := json.Unmarshal(got.Subdirs["noarch"].Repodata[list], &records); err != nil {
				t.Fatal(err)
			}
			maps.Copy(all, records)
		}
		return all
	}
	ours, theirs := index("rattler"), index("conda-index")
	for file, record := range ours {
		delete(record, "indexed_timestamp") // rattler's alone, and the clock's
		if diff := cmp.Diff(theirs[file], record); diff != "" {
			t.Errorf("%s: conda-index (-), rattler (+):\n%s", file, diff)
		}
	}
	if len(ours) != 2 || len(theirs) != 2 {
		t.Errorf("%d and %d records, want 2 of each", len(ours), len(theirs))
	}
}

func TestVersionsInBothLanguages(t *testing.T) {
	t.Parallel()
	input := []string{"1.1", "1!0.5", "1.0.0", "1.1a1", "no version", "1.0", "1.0.post1"}
	want := [][]string{{"1.0.0", "1.0"}, {"1.0.post1"}, {"1.1a1"}, {"1.1"}, {"1!0.5"}}
	for _, args := range [][]string{{"versions.py"}, {"browser.cjs", "versions"}} {
		var got struct {
			Groups  [][]string
			Invalid map[string]string
		}
		clients.NewUser(t).DriveWith(t, input, args[0], args[1:]...).Into(t, &got)
		if diff := cmp.Diff(want, got.Groups); diff != "" {
			t.Errorf("%v: %s", args, diff)
		}
		if got.Invalid["no version"] == "" {
			t.Errorf("%v: invalid = %v, want the one without a version", args, got.Invalid)
		}
	}
}

// refusing is a CI token service and a server which refuses with the sentences given; none where they
// are empty.
func refusing(t *testing.T, mint, upload string) string {
	t.Helper()
	answer := func(w http.ResponseWriter, refusal, otherwise string) {
		if refusal != "" {
			w.WriteHeader(http.StatusForbidden)
			otherwise = refusal
		}
		fmt.Fprint(w, otherwise)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) { answer(w, "", `{"value":"a.b.c"}`) })
	mux.HandleFunc("/api/oidc/mint_token", func(w http.ResponseWriter, _ *http.Request) { answer(w, mint, "minted") })
	mux.HandleFunc("/api/v1/upload/demo", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if got := r.Header.Get("Authorization"); got != "Bearer minted" && got != "Bearer kept" {
			t.Errorf("Authorization = %q, want the minted or the kept token", got)
		}
		answer(w, upload, "")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestUploadShowsWhatTheServerSays(t *testing.T) {
	t.Parallel()
	var made struct{ Path string }
	clients.NewUser(t).Drive(t, "assemble.py", "--name=tide", "--version=1.0", "--output", t.TempDir()).Into(t, &made)
	const sentence = "The packages of this publisher are \"fjord*\"."

	for _, tt := range []struct {
		name, mint, upload string
		wantDriver         string // in the error; empty: uploaded
		wantCommand        string // in the output
	}{
		{name: "uploaded", wantCommand: "uploaded"},
		{name: "upload refused", upload: sentence, wantDriver: sentence, wantCommand: "The packages of this publisher"},
		// The binding drops the sentence; this tells when it no longer does.
		{name: "mint refused", mint: sentence, wantDriver: "no prefix.dev API key provided", wantCommand: sentence},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := refusing(t, tt.mint, tt.upload)
			u := clients.NewUser(t).InGitHubJob(url+"/token", "any")
			got := u.Drive(t, "upload.py", "--url", url, "--channel", "demo", made.Path)
			if got.OK != (tt.wantDriver == "") || !strings.Contains(got.Error, tt.wantDriver) {
				t.Errorf("driver = %+v, want %q", got, tt.wantDriver)
			}
			ran := u.Rattler(t, "upload", "prefix", "--url", url, "--channel", "demo", made.Path)
			if output := ran.String(); (ran.Status == 0) != (tt.wantDriver == "") || !strings.Contains(output, tt.wantCommand) {
				t.Errorf("command = %s, want %q", output, tt.wantCommand)
			}
		})
	}

	t.Run("kept credential", func(t *testing.T) {
		url := refusing(t, "", "")
		u := clients.NewUser(t)
		u.SignIn(t, "127.0.0.1", "kept")
		u.Drive(t, "upload.py", "--url", url, "--channel", "demo", made.Path).Into(t, &struct{}{})
	})
}
