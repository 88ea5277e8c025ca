package server_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// The files of attestations are served as the package is: by all three names with validators and ranges, in a private channel
// to those who may read it, and not at all for a package without attestations.
func TestFilesOfAttestations(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		hidden := w.Channel(t, w.ann, "hidden", channel.Private)
		w.Publisher(t, hidden, trust.PublisherSpec{})
		for _, ch := range []string{"forge", "hidden"} {
			if status, said := w.do(t, w.post(t, ch, w.annUploads, filePart(file, "", body), bundlePart(w.sign(extensions, file, body, w.URL+"/"+ch)))); status != http.StatusOK {
				t.Fatalf("%s: %d %s", ch, status, said)
			}
		}
		names := func(ch, reader string) []string {
			_, _, sigs := w.Get(t, "/"+ch+"/noarch/"+file+".sigs", reader)
			return []string{".sigs", ".v0.sigs", fmt.Sprintf(".sigs.%x", sha256.Sum256([]byte(sigs)))}
		}
		tags := map[string]string{}
		for _, name := range names("forge", "") {
			path := "/forge/noarch/" + file + name
			status, whole, text := w.ask(t, http.MethodGet, path)
			tag := whole.Get("ETag")
			if other, ok := tags[tag]; status != http.StatusOK || !strings.HasPrefix(tag, `"`) || ok {
				t.Errorf("%s: %d, ETag %s, which %q has too", name, status, tag, other)
			}
			tags[tag] = name
			if status, h, none := w.ask(t, http.MethodHead, path); status != http.StatusOK || none != "" || h.Get("ETag") != tag || h.Get("Content-Length") != fmt.Sprint(len(text)) {
				t.Errorf("HEAD %s: %d %v %q", name, status, h, none)
			}
			if status, h, none := w.ask(t, http.MethodGet, path, "If-None-Match", tag); status != http.StatusNotModified || none != "" || h.Get("ETag") != tag {
				t.Errorf("%s, known: %d %v %q", name, status, h, none)
			}
			if status, _, all := w.ask(t, http.MethodGet, path, "If-None-Match", `"other"`); status != http.StatusOK || all != text {
				t.Errorf("%s, another known: %d %q", name, status, all)
			}
			if status, _, part := w.ask(t, http.MethodGet, path, "Range", "bytes=2-9"); status != http.StatusPartialContent || part != text[2:10] {
				t.Errorf("%s, a part: %d %q", name, status, part)
			}
		}
		reads := w.Token(t, w.ann, nil, account.Read)
		for _, name := range names("hidden", reads) {
			path := "/hidden/noarch/" + file + name
			if status, h, _ := w.Get(t, path, ""); status != http.StatusUnauthorized || h.Get("WWW-Authenticate") == "" {
				t.Errorf("%s by nobody: %d %v", path, status, h)
			}
			if status, _, _ := w.Get(t, path, reads); status != http.StatusOK {
				t.Errorf("%s by its owner: %d", path, status)
			}
		}
		plain, plainBody := packageOf(t, "tidetwo", nil)
		if status, said := w.do(t, w.post(t, "forge", tok, filePart(plain, "", plainBody))); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		for _, name := range names("forge", "") {
			if status, _, _ := w.Get(t, "/forge/noarch/"+plain+name, ""); status != http.StatusNotFound {
				t.Errorf("%s of a package without: %d", name, status)
			}
		}
	})
}

// Names of attestations are no names of packages, and a part that is far too large is read to its end and refused.
func TestStrangeAttestations(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		for _, name := range []string{file + ".sigs", file + ".v0.sigs", file + ".sigs." + strings.Repeat("0", 64)} {
			if status, said := w.do(t, w.post(t, "forge", tok, filePart(name, "", body))); status != http.StatusUnprocessableEntity || !strings.Contains(said, ".conda") {
				t.Errorf("a package %s: %d %s", name, status, said)
			}
		}
		large := bundlePart(bytes.Repeat([]byte("x"), 10<<20))
		for _, parts := range [][]part{{large, filePart(file, "", body)}, {filePart(file, "", body), large}} {
			if status, said := w.do(t, w.post(t, "forge", tok, parts...)); status != http.StatusRequestEntityTooLarge {
				t.Errorf("ten megabytes: %d %s", status, said)
			}
		}
		if status, said := w.do(t, w.post(t, "forge", tok, filePart(file, "", body), bundlePart(w.sign(extensions, file, body, w.URL+"/forge")))); status != http.StatusOK {
			t.Errorf("after all that: %d %s", status, said)
		}
	})
}

// ask sends a request with headers, by nobody.
func (w *attested) ask(t *testing.T, method, path string, headers ...string) (int, http.Header, string) {
	t.Helper()
	req := w.request(t, method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return servertest.Do(t, req)
}
