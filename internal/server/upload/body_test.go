package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/attest"
	"sluice/internal/blob"
	"sluice/internal/fault"
	"sluice/internal/publish"
)

const packageName = "tide-1.0-0.conda"

// newUploads is the use case over a real folder, of packages of at most 1 KiB. It never gets as far as a database.
func newUploads(t testing.TB) (*publish.Uploads, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	blobs, err := blob.NewFolder(root, func(context.Context, blob.Sum) (bool, error) { return false, nil })
	if err != nil {
		t.Fatal(err)
	}
	return publish.New(publish.Config{Blobs: blobs, MaxSize: 1 << 10}), dir
}

func staged(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "staging", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// part is one part of a form.
type part struct {
	header textproto.MIMEHeader
	body   string
}

func filePart(name, sum, body string) part {
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="` + packageName + `"`}}
	if name != "" {
		h.Set(headerFileName, name)
	}
	if sum != "" {
		h.Set(headerSHA256, sum)
	}
	return part{h, body}
}

func namedPart(name, body string) part {
	return part{textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"`}}, body}
}

const boundary = "sluice-boundary"

func form(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		to, err := w.CreatePart(p.header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(to, p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func formRequest(body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, UploadPath+"forge", bytes.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	return r
}

func TestReceiveForms(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("bytes")))
	good := filePart(packageName, sum, "bytes")
	for _, tt := range []struct {
		name string
		body []byte
		code fault.Code
		says string
	}{
		{name: "as the client sends it", body: form(t, good)},
		{name: "without a digest", body: form(t, filePart(packageName, "", "bytes"))},
		{name: "name from the disposition", body: form(t, filePart("", sum, "bytes"))},
		{name: "upper-case digest", body: form(t, filePart(packageName, strings.ToUpper(sum), "bytes"))},
		{name: "another digest", body: form(t, filePart(packageName, strings.Repeat("0", 64), "bytes")), code: fault.HashMismatch, says: "was announced"},
		{name: "a short digest", body: form(t, filePart(packageName, "abc", "bytes")), code: fault.BadRequest, says: "64 hexadecimal"},
		{name: "a path as name", body: form(t, filePart("../"+packageName, sum, "bytes")), code: fault.InvalidPackage, says: "file name"},
		{name: "a wheel", body: form(t, filePart("tide-1.0-py3-none-any.whl", sum, "bytes")), code: fault.InvalidPackage, says: "file name"},
		{name: "empty", body: form(t, filePart(packageName, "", "")), code: fault.InvalidPackage, says: "empty"},
		{name: "too large", body: form(t, filePart(packageName, "", strings.Repeat("x", 1025))), code: fault.TooLarge, says: "1024 bytes"},
		{name: "two files", body: form(t, good, good), code: fault.BadRequest, says: "two parts"},
		{name: "an attestation", body: form(t, good, namedPart("attestation", "{}"))},
		{name: "an attestation first", body: form(t, namedPart("attestation", "[{}]"), good)},
		{name: "two attestations", body: form(t, good, namedPart("attestation", "{}"), namedPart("attestation", "{}")), code: fault.BadRequest, says: "one array"},
		{name: "an empty attestation", body: form(t, good, namedPart("attestation", "")), code: fault.BadRequest, says: "empty"},
		{name: "no bundle", body: form(t, good, namedPart("attestation", "x")), code: fault.BundleMalformed, says: "no JSON object"},
		{name: "a large attestation", body: form(t, good, namedPart("attestation", strings.Repeat(" ", attest.MaxPart+1))), code: fault.TooLarge, says: "most that is taken"},
		{name: "an unknown part", body: form(t, good, namedPart("label", "dev")), code: fault.BadRequest, says: `"label"`},
		{name: "no file", body: form(t), code: fault.BadRequest, says: "without a part named file"},
		{name: "cut inside the file", body: form(t, good)[:len(form(t, good))-30], code: fault.BadRequest, says: "cut off"},
		{name: "cut after the file", body: form(t, good)[:len(form(t, good))-6], code: fault.BadRequest, says: "cut off"},
		{name: "nothing", body: nil, code: fault.BadRequest, says: "cut off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, dir := newUploads(t)
			r := formRequest(tt.body)
			got, err := receive(r, r.Body, u)
			if tt.code != "" {
				if !fault.Is(err, tt.code) || !strings.Contains(err.Error(), tt.says) || got != nil {
					t.Errorf("= %v, %v; want %s with %q", got, err, tt.code, tt.says)
				}
			} else if err != nil || got.File().String() != packageName {
				t.Fatalf("= %v, %v", got, err)
			} else if err := got.Discard(); err != nil {
				t.Error(err)
			}
			if left := staged(t, dir); len(left) != 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestReceiveRaw(t *testing.T) {
	u, dir := newUploads(t)
	r := httptest.NewRequest(http.MethodPost, UploadPath+"forge?force=true", strings.NewReader("bytes"))
	r.Header.Set("Content-Type", "application/octet-stream")
	if _, err := receive(r, r.Body, u); !fault.Is(err, fault.BadRequest) || !strings.Contains(err.Error(), headerFileName) {
		t.Errorf("without a name: %v", err)
	}
	r.Header.Set(headerFileName, packageName)
	got, err := receive(r, r.Body, u)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Discard(); err != nil || len(staged(t, dir)) != 0 {
		t.Errorf("discard: %v, left %q", err, staged(t, dir))
	}
}

// The law of the multipart reader: whatever comes, it is either taken, and then exactly one file of a good
// name lies in the staging area with the digest that was announced for it, or refused in the client's
// terms, and then nothing is left.
func FuzzReceiveForm(f *testing.F) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("bytes")))
	f.Add(form(f, filePart(packageName, sum, "bytes")))
	f.Add(form(f, filePart(packageName, "", "bytes"), namedPart("attestation", "{}")))
	f.Add(form(f, namedPart("file", "bytes")))
	f.Add([]byte("--" + boundary + "\r\nContent-Disposition: form-data; name=file\r\nX-File-Name: " + packageName + "\r\n\r\n--" + boundary + "--"))
	f.Add([]byte("--" + boundary + "\r\n\r\n\r\n--" + boundary + "\r\n"))
	u, dir := newUploads(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := formRequest(body)
		got, err := receive(r, r.Body, u)
		if err != nil {
			if _, ok := errors.AsType[*fault.Error](err); !ok || got != nil {
				t.Errorf("= %v, %v: no refusal", got, err)
			}
		} else {
			if got.File().IsZero() || len(staged(t, dir)) != 1 {
				t.Errorf("took %q, staged %q", got.File(), staged(t, dir))
			}
			if err := got.Discard(); err != nil {
				t.Error(err)
			}
		}
		if left := staged(t, dir); len(left) != 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}
