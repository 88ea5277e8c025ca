package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/instance"
	"sluice/internal/attest/policy"
	"sluice/internal/attest/recheck"
	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/servertest"
	"sluice/internal/standin"
)

// looking is a world whose second looks are done when the test says so. Its clock is the real one, or later.
type looking struct {
	*attested
	later *atomic.Int64 // by how much, in nanoseconds
}

func (w *looking) now() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }

func lookingBoth(t *testing.T, run func(t *testing.T, w *looking)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &looking{later: &atomic.Int64{}}
			w.attested = newAttested(t, servertest.Options{Postgres: name == "postgres", Idle: true, Now: w.now})
			run(t, w)
		})
	}
}

// root has a server that starts over the same database find another root of the instance. The one that runs keeps its own.
func (w *looking) root(t *testing.T, root []byte) *instance.Instances {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ours.json")
	if err := os.WriteFile(file, root, 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := instance.New(t.Context(), instance.Config{
		Sources: []instance.Source{{Name: "ours", File: file}}, Store: w.DB, Dir: t.TempDir(), Log: w.logger(), Now: w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *looking) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.Log, nil))
}

// look does what is to be looked at.
func (w *looking) look(t *testing.T, k *instance.Instances, s recheck.Store) error {
	t.Helper()
	looks := recheck.Looks{Store: s, Checker: k.Checker, Changed: k.Changed(), Log: w.logger(), Now: w.now}
	return looks.Finish(t.Context())
}

func (w *looking) mustLook(t *testing.T, k *instance.Instances) {
	t.Helper()
	if err := w.look(t, k, w.DB); err != nil {
		t.Fatal(err)
	}
}

// distrust is what the API says of each attestation of a file: the code and the root, or "".
func (w *looking) distrust(t *testing.T, file string) (out []string) {
	t.Helper()
	status, _, body := w.Get(t, "/api/v1/channels/forge/packages/noarch/"+file, "")
	var answer struct {
		Attestations []struct {
			Root     string `json:"trusted_root_sha256"`
			Distrust *struct {
				Root string    `json:"trusted_root_sha256"`
				Code string    `json:"code"`
				At   time.Time `json:"at"`
			} `json:"no_longer_trusted"`
		} `json:"attestations"`
	}
	if err := json.Unmarshal([]byte(body), &answer); status != http.StatusOK || err != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	for _, a := range answer.Attestations {
		if a.Root != digest(w.instance.Root) {
			t.Errorf("%s: the verdict became that of %s", file, a.Root)
		}
		said := ""
		if d := a.Distrust; d != nil {
			said = d.Code + " " + d.Root
			if age := w.now().Sub(d.At); age < 0 || age > time.Hour {
				t.Errorf("%s: found out at %v", file, d.At)
			}
		}
		out = append(out, said)
	}
	return out
}

func digest(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// found are the events of second looks, the newest first.
func (w *looking) found(t *testing.T) []audit.Event {
	t.Helper()
	events, err := w.DB.Events(t.Context(), audit.Query{ChannelID: w.forge.ID, Kinds: []audit.Kind{audit.AttestationsDistrusted, audit.AttestationsTrusted}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// counts asks the channel's demands about the first attestation of a file, as it is stored.
func (w *looking) counts(t *testing.T, file string) error {
	t.Helper()
	name, err := conda.ParseFilename(file)
	if err != nil {
		t.Fatal(err)
	}
	subdir, err := conda.ParseSubdir("noarch")
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.DB.File(t.Context(), w.forge.ID, subdir, name)
	if err != nil || len(f.Attestations) == 0 {
		t.Fatalf("%d attestations, %v", len(f.Attestations), err)
	}
	a := f.Attestations[0]
	return policy.Default().Counts(policy.Signature{Verdict: a.Verdict, Fit: policy.Fit(a.Fit), Distrust: a.NoLongerTrusted}, w.URL+"/forge")
}

// attest publishes a version with n attestations, and returns its file and their sidecar.
func (w *looking) attest(t *testing.T, v string, n int) (file, sidecar string) {
	t.Helper()
	tok, extensions := w.run(t, standin.Run{})
	file, body := version(t, v)
	var bundles [][]byte
	for range n {
		bundles = append(bundles, w.sign(extensions, file, body, w.URL+"/forge"))
	}
	if status, said := w.send(t, tok, file, body, bundles...); status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
	return file, w.sidecar(t, file, n)
}

func same(got []string, want ...string) bool {
	return strings.Join(got, "|") == strings.Join(want, "|")
}

// An instance whose keys are taken away is believed no longer, and its bundles stay; it is believed again when they come back.
func TestSecondLook(t *testing.T) {
	t.Parallel()
	lookingBoth(t, func(t *testing.T, w *looking) {
		one, oneBytes := w.attest(t, "1.0", 1)
		two, twoBytes := w.attest(t, "1.1", 2)
		other := attesttest.New(t)
		noLog, noAuthority := w.instance.RootWith(other, "tlogs"), w.instance.RootWith(other, "certificateAuthorities")
		for _, tt := range []struct {
			name string
			root []byte
			code fault.Code // "" for trusted
			kind audit.Kind // "" for no news
			says string
		}{
			{"the root that judged", w.instance.Root, "", "", ""},
			{"its log is gone", noLog, fault.LogUnknown, audit.AttestationsDistrusted,
				"found that 3 attestations of 2 files, from noarch/" + one + " to noarch/" + two + ", no longer count, since the keys of the sigstore instance ours have changed. "},
			{"its authority is gone", noAuthority, fault.CertificateUntrusted, "", ""},
			{"the same once more", noAuthority, fault.CertificateUntrusted, "", ""},
			{"all came back", w.instance.Root, "", audit.AttestationsTrusted, "found that 3 attestations of 2 files, from noarch/" + one + " to noarch/" + two + ", can be trusted again"},
		} {
			before := len(w.found(t))
			w.mustLook(t, w.root(t, tt.root))
			want := ""
			if tt.code != "" {
				want = string(tt.code) + " " + digest(tt.root)
			}
			if got := append(w.distrust(t, one), w.distrust(t, two)...); !same(got, want, want, want) {
				t.Errorf("%s: the API says %q, want %q", tt.name, got, want)
			}
			if _, _, page := w.Get(t, "/channels/forge/packages/tide", ""); strings.Contains(page, "No longer trusted since") != (tt.code != "") {
				t.Errorf("%s: the page says otherwise", tt.name)
			}
			if tt.code == "" {
				w.lists(t, tt.name, "by CI, attestation verified", "2/2/2")
			} else {
				w.lists(t, tt.name, "by CI", "2/2/2")
			}
			if err := w.counts(t, one); tt.code == "" && err != nil || tt.code != "" && fault.CodeOf(err) != tt.code {
				t.Errorf("%s: it counts: %v", tt.name, err)
			}
			switch events := w.found(t); {
			case tt.kind == "" && len(events) != before, tt.kind != "" && len(events) != before+1:
				t.Errorf("%s: %d events, before %d", tt.name, len(events), before)
			case tt.kind != "" && (events[0].Kind != tt.kind || !strings.HasPrefix(events[0].Sentence, tt.says) || events[0].Facts["files"] != "noarch/"+one+" noarch/"+two):
				t.Errorf("%s: %+v", tt.name, events[0])
			}
			if w.sidecar(t, one, 1) != oneBytes || w.sidecar(t, two, 2) != twoBytes {
				t.Errorf("%s: the stored attestations have changed", tt.name)
			}
		}
		w.consistent(t)
	})
}

// between is the database with something that happens after each page was read, and before what was found is saved.
type between struct {
	recheck.Store
	do    func()
	after []int64 // where the pages began
}

func (b *between) AttestationsAfter(ctx context.Context, artifact int64, artifacts int) ([]recheck.Stored, error) {
	list, err := b.Store.AttestationsAfter(ctx, artifact, artifacts)
	b.after = append(b.after, artifact)
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return list, err
}

// A look that a server has left is gone on with where it was: at once where the server ended in order, else when its time is over.
func TestSecondLookGoesOn(t *testing.T) {
	t.Parallel()
	lookingBoth(t, func(t *testing.T, w *looking) {
		const files = 18 // more than a page
		var names []string
		for i := range files {
			file, _ := w.attest(t, fmt.Sprintf("1.%d", i), 1)
			names = append(names, file)
		}
		marked := func() (n int) {
			for _, file := range names {
				if !same(w.distrust(t, file), "") {
					n++
				}
			}
			return n
		}
		noLog := w.instance.RootWith(attesttest.New(t), "tlogs")
		k := w.root(t, noLog)

		// The first ends before it has looked at its second page.
		ctx, end := context.WithCancel(t.Context())
		first := &between{Store: w.DB}
		first.do = func() { first.do = end }
		looks := recheck.Looks{Store: first, Checker: k.Checker, Changed: k.Changed(), Log: w.logger(), Now: w.now}
		if err := looks.Finish(ctx); err == nil {
			t.Fatal("it did not end")
		}
		if n := marked(); n != 16 || len(first.after) != 2 {
			t.Fatalf("%d of a page are marked, after %d pages", n, len(first.after))
		}
		// Another one dies with the rest in its hands.
		if l, ok, err := w.DB.ClaimLook(t.Context(), w.now().Add(2*time.Minute)); err != nil || !ok || l.After != first.after[1] {
			t.Fatalf("the next begins after %d, want %d: %v, %v", l.After, first.after[1], ok, err)
		}
		w.mustLook(t, w.root(t, noLog))
		if n := marked(); n != 16 {
			t.Errorf("two servers looked at once: %d", n)
		}
		w.later.Store(int64(3 * time.Minute))
		last := &between{Store: w.DB}
		if err := w.look(t, w.root(t, noLog), last); err != nil {
			t.Fatal(err)
		}
		if n := marked(); n != files || last.after[0] != first.after[1] {
			t.Errorf("%d are marked; it began after %d, want %d", n, last.after[0], first.after[1])
		}
		if events := w.found(t); len(events) != 2 || !strings.HasPrefix(events[0].Sentence, "found that 2 attestations of 2 files") || !strings.HasPrefix(events[1].Sentence, "found that 16 attestations of 16 files") {
			t.Errorf("%+v", events)
		}
	})
}

// A server that has not heard of the newer root judges by the old one, before, while and after a look goes by.
func TestSecondLookMeanwhile(t *testing.T) {
	t.Parallel()
	lookingBoth(t, func(t *testing.T, w *looking) {
		first, _ := w.attest(t, "1.0", 1)
		noLog := w.instance.RootWith(attesttest.New(t), "tlogs")
		bad := string(fault.LogUnknown) + " " + digest(noLog)
		tok, extensions := w.run(t, standin.Run{})
		file, body := version(t, "1.1")
		k := w.root(t, noLog)

		// Another attestation of a file of the page that was read.
		_, oldest := version(t, "1.0")
		while := &between{Store: w.DB, do: func() {
			w.add(t, first, w.annUploads, w.sign(extensions, first, oldest, w.URL+"/forge"), http.StatusCreated)
		}}
		if err := w.look(t, k, while); err != nil {
			t.Fatal(err)
		}
		if got := w.distrust(t, first); !same(got, bad, bad) {
			t.Errorf("added while its page was looked at: %q", got)
		}

		// After the look has ended.
		if status, said := w.send(t, tok, file, body, w.sign(extensions, file, body, w.URL+"/forge")); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		if got := w.distrust(t, file); !same(got, "") {
			t.Errorf("nobody has looked at it: %q", got)
		}
		w.mustLook(t, k)
		if got := w.distrust(t, file); !same(got, bad) {
			t.Errorf("uploaded after the look: %q", got)
		}

		// After the last page was read, and found empty.
		var newest string
		pages := &between{Store: w.DB}
		pages.do = func() { pages.do = func() { newest, _ = w.attest(t, "1.2", 1) } }
		again := w.root(t, w.instance.RootWith(attesttest.New(t), "tlogs"))
		if err := w.look(t, again, pages); err != nil {
			t.Fatal(err)
		}
		if got := w.distrust(t, newest); len(got) != 1 || got[0] == "" {
			t.Errorf("uploaded while the look ended: %q", got)
		}
		w.consistent(t)
	})
}

// Whatever comes at the moment at which the root is replaced is looked at, too.
func TestSecondLookAtOnce(t *testing.T) {
	t.Parallel()
	lookingBoth(t, func(t *testing.T, w *looking) {
		noLog := w.instance.RootWith(attesttest.New(t), "tlogs")
		tok, extensions := w.run(t, standin.Run{})
		const uploads = 12
		var files []string
		var requests []*http.Request
		for i := range uploads {
			file, body := version(t, fmt.Sprintf("1.%d", i))
			files = append(files, file)
			requests = append(requests, w.post(t, "forge", tok, filePart(file, "", body), bundlePart(w.sign(extensions, file, body, w.URL+"/forge"))))
		}
		var all sync.WaitGroup
		for i, req := range requests {
			all.Go(func() {
				if status, said := w.do(t, req); status != http.StatusOK {
					t.Errorf("%s: %d %s", files[i], status, said)
				}
			})
		}
		k := w.root(t, noLog)
		w.mustLook(t, k)
		all.Wait()
		w.mustLook(t, k)
		for _, file := range files {
			if got := w.distrust(t, file); !same(got, string(fault.LogUnknown)+" "+digest(noLog)) {
				t.Errorf("%s: %q", file, got)
			}
		}
		w.consistent(t)
	})
}
