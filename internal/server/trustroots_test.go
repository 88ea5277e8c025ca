package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore-go/pkg/tuf"

	"sluice/internal/attest/attesttest"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
)

// Every root that was ever used is told to anybody, byte for byte.
func TestTrustRoots(t *testing.T) {
	t.Parallel()
	lookingBoth(t, func(t *testing.T, w *looking) {
		noLog := w.instance.RootWith(attesttest.New(t), "tlogs")
		w.root(t, noLog)
		w.root(t, w.instance.Root)
		status, _, body := w.Get(t, "/api/v1/trust-roots", "")
		type root struct {
			Instance   string    `json:"instance"`
			Number     int       `json:"number"`
			SHA256     string    `json:"sha256"`
			Source     string    `json:"source"`
			UsedAt     time.Time `json:"used_at"`
			ReplacedAt time.Time `json:"replaced_at"`
			URL        string    `json:"url"`
		}
		var answer struct {
			Roots []root `json:"trust_roots"`
		}
		if err := json.Unmarshal([]byte(body), &answer); status != http.StatusOK || err != nil || len(answer.Roots) != 3 {
			t.Fatalf("%d %v %s", status, err, body)
		}
		for i, b := range [][]byte{w.instance.Root, noLog, w.instance.Root} {
			got := answer.Roots[i]
			want := root{Instance: "ours", Number: 3 - i, SHA256: digest(b), Source: "file", UsedAt: got.UsedAt, ReplacedAt: got.ReplacedAt, URL: w.URL + "/api/v1/trust-roots/" + digest(b)}
			if d := cmp.Diff(want, got); d != "" || got.UsedAt.IsZero() || i == 0 && !got.ReplacedAt.IsZero() || i > 0 && !got.ReplacedAt.Equal(answer.Roots[i-1].UsedAt) {
				t.Errorf("%s: %+v", d, got)
			}
			status, header, said := w.Get(t, strings.TrimPrefix(got.URL, w.URL), "")
			if status != http.StatusOK || said != string(b) || header.Get("Content-Type") != "application/json" || !strings.Contains(header.Get("Cache-Control"), "immutable") {
				t.Errorf("%d %v", status, header)
			}
		}
		for sum, want := range map[string]int{strings.Repeat("0", 64): http.StatusNotFound, strings.ToUpper(digest(noLog)): http.StatusUnprocessableEntity, "x": http.StatusUnprocessableEntity} {
			if status, _, said := w.Get(t, "/api/v1/trust-roots/"+sum, ""); status != want {
				t.Errorf("%s: %d %s, want %d", sum, status, said, want)
			}
		}
	})
}

// A server that could never get an instance's keys says so, and asks for the upload once more; what has no attestation it takes.
func TestNoTrustRoot(t *testing.T) {
	t.Parallel()
	w := &attested{&world{}, attesttest.New(t)}
	begin := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(begin, tuf.DefaultRoot(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t, servertest.Options{Configure: func(c *config.Config) {
		c.UploadMax, c.SigstoreTUF, c.SigstoreTUFRoot = uploadMax, "http://127.0.0.1:1", begin
	}})
	tok, extensions := w.run(t, standin.Run{})
	file, body := version(t, "1.0")
	status, said := w.send(t, tok, file, body, w.sign(extensions, file, body, w.URL+"/forge"))
	if status != http.StatusServiceUnavailable || !strings.Contains(said, "the keys of the sigstore instance 127.0.0.1 so far") {
		t.Errorf("%d %s", status, said)
	}
	if there, _, _ := w.Get(t, "/forge/noarch/"+file, ""); there != http.StatusNotFound {
		t.Errorf("it was stored: %d", there)
	}
	if status, said := w.send(t, tok, file, body); status != http.StatusOK {
		t.Errorf("without one: %d %s", status, said)
	}
	for _, path := range []string{"/readyz", "/api/v1/server"} {
		if _, _, said := w.Get(t, path, ""); !strings.Contains(strings.ReplaceAll(said, " ", ""), fmt.Sprintf(`"sigstore":[{"name":%q,"usable":false`, "127.0.0.1")) {
			t.Errorf("%s says %s", path, said)
		}
	}
	if status, _, said := w.Get(t, "/api/v1/trust-roots", ""); status != http.StatusOK || !strings.Contains(said, `"trust_roots":[]`) {
		t.Errorf("%d %s", status, said)
	}
}
