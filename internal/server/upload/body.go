package upload

import (
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"sluice/internal/attest"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/publish"
)

// The headers that name a file: of its part in a form, of the request in the raw form.
const (
	headerFileName = "X-File-Name"
	headerSHA256   = "X-File-SHA256"
)

// receive reads an upload in either form: the multipart form of rattler_upload since 2025, or the raw body of
// older clients and of scripts. What it returns must be published or discarded.
func receive(r *http.Request, body io.Reader, u *publish.Uploads) (*publish.Received, error) {
	force := r.URL.Query().Get("force") == "true"
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		a, err := announced(r.Header.Get, "", force)
		if err != nil {
			return nil, err
		}
		a.Bare = true
		return u.Receive(r.Context(), a, body)
	}
	if params["boundary"] == "" {
		return nil, fault.New(fault.BadRequest, "The multipart form names no boundary in its Content-Type.")
	}
	return receiveForm(r, multipart.NewReader(body, params["boundary"]), u, force)
}

// receiveForm reads the parts in the order in which clients send them: the file, and nothing that matters
// after it. The whole form is read before anything is published, so that a part that we must refuse
// refuses the upload.
func receiveForm(r *http.Request, form *multipart.Reader, u *publish.Uploads, force bool) (got *publish.Received, err error) {
	defer func() {
		if err != nil && got != nil {
			got, err = nil, errors.Join(err, got.Discard())
		}
	}()
	var attestation []byte
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return got, badForm(err)
		}
		switch part.FormName() {
		case "file":
			if got != nil {
				return got, fault.New(fault.BadRequest, "The form has two parts named file: upload one package at a time.")
			}
			a, err := announced(part.Header.Get, part.FileName(), force)
			if err != nil {
				return got, err
			}
			if got, err = u.Receive(r.Context(), a, formBody{part}); err != nil {
				return nil, err
			}
		case "attestation":
			if attestation != nil {
				return got, fault.New(fault.BadRequest, "The form has two parts named attestation: send several as one array.")
			}
			if attestation, err = readAttestation(part); err != nil {
				return got, err
			}
		default:
			return got, fault.New(fault.BadRequest, "The form has a part %q, which nobody here understands: send file, and attestation.", part.FormName())
		}
	}
	if got == nil {
		return nil, fault.New(fault.BadRequest, "The form ended without a part named file: it was cut off, or holds none.")
	}
	if attestation != nil {
		err = got.Attest(attestation)
	}
	return got, err
}

// readAttestation reads the part whole, within the limit: it may come before the file that it speaks of.
func readAttestation(part io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(part, attest.MaxPart+1))
	switch {
	case err != nil:
		return nil, badForm(err)
	case len(b) == 0:
		return nil, fault.New(fault.BadRequest, "The part named attestation is empty: leave it out, or send the bundle.")
	case len(b) > attest.MaxPart:
		return nil, fault.New(fault.TooLarge, "The attestations have more than %d bytes, which is the most that is taken.", attest.MaxPart)
	}
	return b, nil
}

// announced reads what a client says of a file. fallback is the name to take when no header gives one.
func announced(header func(string) string, fallback string, force bool) (publish.Announced, error) {
	name := header(headerFileName)
	if name == "" {
		name = fallback
	}
	if name == "" {
		return publish.Announced{}, fault.New(fault.BadRequest, "The upload names no file: send the header %s.", headerFileName)
	}
	f, err := conda.ParseFilename(name)
	if err != nil {
		return publish.Announced{}, fault.Wrap(err, fault.InvalidPackage, "%v", err)
	}
	a := publish.Announced{File: f, Force: force}
	if s := header(headerSHA256); s != "" {
		raw, err := hex.DecodeString(s)
		if err != nil || len(raw) != 32 {
			return publish.Announced{}, fault.New(fault.BadRequest, "The header %s is no SHA-256: it has 64 hexadecimal digits.", headerSHA256)
		}
		a.SHA256 = (*[32]byte)(raw)
	}
	return a, nil
}

// formBody tells a broken form from a broken package: an end in the middle of a part is the client's.
type formBody struct{ part io.Reader }

func (b formBody) Read(p []byte) (int, error) {
	n, err := b.part.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = badForm(err)
	}
	return n, err
}

// badForm keeps refusals that come from below (too slow, too large) and turns all else that can go wrong
// while a form is read into one.
func badForm(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(err, fault.BadRequest, "The multipart form is broken or was cut off: send the file again.")
}
