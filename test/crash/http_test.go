package crash

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/test/process"
)

// What no client sends. Each is answered with a refusal or cut off, and the server goes on.
func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	p := process.Start(t, process.Options{Data: t.TempDir(), Args: []string{"--stall-timeout", "1s"}})
	p.Admin(t, "user", "add", "ann", "--no-password")
	token := p.Admin(t, "token", "create", "--user", "ann", "--scope", "upload,manage")
	p.API(t, token, http.MethodPost, "/api/v1/channels", map[string]any{"name": "forge"})
	post := "POST /api/v1/upload/forge HTTP/1.1\r\nHost: x\r\nX-File-Name: tide-1.0-0.conda\r\nAuthorization: Bearer " + token + "\r\n"
	for name, request := range map[string]string{
		"nothing":                    "\r\n\r\n",
		"noise":                      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\xff", 500),
		"HTTP/2 without asking":      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"no host":                    "GET / HTTP/1.1\r\n\r\n",
		"two hosts":                  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"a zero byte in a header":    "GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
		"a header of two megabytes":  "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 2<<20) + "\r\n\r\n",
		"a path of two megabytes":    "GET /" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"ten thousand headers":       "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n",
		"a length below zero":        post + "Content-Length: -1\r\n\r\n",
		"two lengths":                post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"a length beyond all":        post + "Content-Length: 9223372036854775807\r\n\r\nhello",
		"a length that is no number": post + "Content-Length: 0x10\r\n\r\nhello",
		"a chunk beyond all":         post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello",
		"a chunk that is no number":  post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
		"chunks that end early":      post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"two encodings":              post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
		"chunks and a length":        post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"a form of a million parts":  post + "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(strings.Repeat("--b\r\n\r\n\r\n", 100_000)),
		"a part with a huge header":  post + "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("--b\r\nX: "+strings.Repeat("a", 4<<20)+"\r\n\r\n\r\n--b--"),
		"a range of everything":      "GET /forge/noarch/repodata.json HTTP/1.1\r\nHost: x\r\nRange: bytes=" + strings.Repeat("0-,", 5000) + "\r\n\r\n",
		"a slow end":                 post + "Content-Length: 100\r\n\r\nhel",
	} {
		if status := talk(t, p, request); status/100 == 2 && name != "a range of everything" && name != "ten thousand headers" || status/100 == 5 && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status := talk(t, p, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
	for _, word := range []string{"panic", "level=ERROR"} {
		if strings.Contains(p.Log(), word) {
			t.Errorf("the log has %q:\n%s", word, unusual(p.Log()))
		}
	}
	for _, folder := range []string{"staging", "blobs"} {
		if left := files(t, filepath.Join(p.Data, folder)); len(left) > 0 {
			t.Errorf("%s holds %q", folder, left)
		}
	}
}

// chunk is a body of one chunk.
func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(s), s) }

// talk sends bytes, and returns the status of the first answer, 0 when there is none.
func talk(t *testing.T, p *process.Server, request string) int {
	t.Helper()
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, request) // it may be cut off in the middle
	_ = c.(*net.TCPConn).CloseWrite() // so that nothing waits for more
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }() // what matters is the status
	return res.StatusCode
}
