package process

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
)

// Upload is a package on its way to a server.
type Upload struct {
	Channel, Bearer, Filename string
	// Body is the package, Size its length in bytes, SHA256 its digest; the zero digest is not sent.
	Body   io.Reader
	Size   int64
	SHA256 [32]byte
	// Raw sends the body as it is, as old clients do, in place of a multipart form.
	Raw bool
}

// Send uploads and returns the answer. The error is that of the connection.
func (s *Server) Send(ctx context.Context, u Upload) (status int, sentence string, err error) {
	req, err := u.request(ctx, s.URL())
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), errors.Join(err, res.Body.Close())
}

func (u Upload) request(ctx context.Context, server string) (*http.Request, error) {
	body, size, headers := u.Body, u.Size, u.headers()
	if !u.Raw {
		var err error
		if body, size, headers, err = u.form(); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/api/v1/upload/"+u.Channel, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	maps.Copy(req.Header, headers)
	req.Header.Set("Authorization", "Bearer "+u.Bearer)
	return req, nil
}

func (u Upload) headers() textproto.MIMEHeader {
	h := textproto.MIMEHeader{}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-File-Name", u.Filename)
	if u.SHA256 != [32]byte{} {
		h.Set("X-File-SHA256", hex.EncodeToString(u.SHA256[:]))
	}
	return h
}

// form is the multipart form of rattler_upload, with its length known and none of it in memory.
func (u Upload) form() (io.Reader, int64, textproto.MIMEHeader, error) {
	var around bytes.Buffer
	w := multipart.NewWriter(&around)
	part := u.headers()
	part.Set("Content-Disposition", fmt.Sprintf(`form-data; name="file"; filename=%q`, u.Filename))
	if _, err := w.CreatePart(part); err != nil {
		return nil, 0, nil, err
	}
	before := around.Len()
	if err := w.Close(); err != nil {
		return nil, 0, nil, err
	}
	head, tail := around.Bytes()[:before], around.Bytes()[before:]
	size := int64(around.Len()) + u.Size
	return io.MultiReader(bytes.NewReader(head), u.Body, bytes.NewReader(tail)), size,
		textproto.MIMEHeader{"Content-Type": {w.FormDataContentType()}}, nil
}

// API calls the JSON API and fails t unless it answers 2xx.
func (s *Server) API(t testing.TB, bearer, method, path string, body any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s %v", method, path, res.Status, strings.TrimSpace(string(said)), err)
	}
}
