package files_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
)

// BenchmarkServe asks a whole server on SQLite for one file after another over one connection, and beside it what
// net/http makes of the same bytes with nothing around them. The client is counted, too.
func BenchmarkServe(b *testing.B) {
	s := servertest.New(b, servertest.Options{})
	ann := s.User(b, "ann", false)
	s.Channel(b, ann, "forge", channel.Public)
	token := s.Token(b, ann, nil, account.Upload)
	publish(b, s, token, build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch"})
	publish(b, s, token, build.Package{Name: "flood", Version: "1.0", Build: "0", Subdir: "noarch", Noise: 1 << 20})
	for _, bb := range []struct{ name, path, header string }{
		{"index", "/forge/noarch/repodata.json.zst", ""},
		{"index plain", "/forge/noarch/repodata.json", ""},
		{"not modified", "/forge/noarch/repodata.json.zst", "If-None-Match"},
		{"package", "/forge/noarch/tide-1.0-0.conda", ""},
		{"package of 1 MB", "/forge/noarch/flood-1.0-0.conda", ""},
	} {
		b.Run(bb.name, func(b *testing.B) {
			path, header := bb.path, "\r\n"
			if bb.header != "" {
				_, tag := fetch(b, s.URL+path)
				header = bb.header + ": " + tag + "\r\n\r\n"
			}
			ask(b, s.URL, "GET "+path+" HTTP/1.1\r\nHost: x\r\nUser-Agent: rattler/0.1\r\n"+header)
		})
		b.Run(bb.name+", bare", func(b *testing.B) {
			body, _ := fetch(b, s.URL+bb.path)
			bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"x"`)
				w.Header().Set("Content-Type", "application/zstd")
				http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(body))
			}))
			defer bare.Close()
			header := "\r\n"
			if bb.header != "" {
				header = bb.header + ": \"x\"\r\n\r\n"
			}
			ask(b, bare.URL, "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: rattler/0.1\r\n"+header)
		})
	}
}

// ask sends one request over and over and reads the answers.
func ask(b *testing.B, url, request string) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	for b.Loop() {
		if _, err := io.WriteString(conn, request); err != nil {
			b.Fatal(err)
		}
		n := int64(0)
		for line := ""; line != "\r\n"; {
			b, err := r.ReadSlice('\n')
			if err != nil {
				break
			}
			line = string(b)
			if rest, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				_, _ = fmt.Sscan(rest, &n)
			}
		}
		if m, err := io.CopyN(io.Discard, r, n); m != n || err != nil {
			b.Fatal(m, err)
		}
	}
}

// fetch reads a file and its validator.
func fetch(t testing.TB, url string) (body []byte, etag string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err = io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return body, res.Header.Get("ETag")
}

func publish(t testing.TB, s *servertest.Server, token string, p build.Package) {
	t.Helper()
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/upload/forge", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-File-Name", p.Stem()+".conda")
	if status, _, said := servertest.Do(t, req); status != http.StatusOK {
		t.Fatal(status, said)
	}
}
