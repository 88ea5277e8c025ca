package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The paths of the upload protocol. No channel need be there: who is not known gets the same answer for each.
const (
	mintPath   = "/api/oidc/mint_token"
	uploadPath = "/api/v1/upload/doctor"
)

const (
	// uploadSize is how large a body is sent, in bytes: more than proxies take unless told to.
	uploadSize = 8 << 20
	// uploadTime bounds that, for slow lines.
	uploadTime = 3 * time.Minute
)

// publishing looks whether exchanges and uploads get through to the server, where both are refused.
func (x *examination) publishing(ctx context.Context) {
	x.tell(exchange(x.ask(ctx, question{
		method: http.MethodPost, path: mintPath, body: strings.NewReader("{}"), size: 2, header: map[string]string{"Content-Type": "application/json"},
	})))
	x.tell(upload(x.ask(ctx, question{
		method: http.MethodPost, path: uploadPath, body: &zeros{left: uploadSize}, size: uploadSize, within: uploadTime,
		header: map[string]string{"Content-Type": "application/octet-stream"},
	})))
}

// zeros is a body of zeros.
type zeros struct{ left int64 }

// Read implements io.Reader.
func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// exchange judges the answer to an exchange of nothing, which Sluice refuses.
func exchange(a answer) Finding {
	const check = "exchange"
	if a.err == nil && a.status == http.StatusBadRequest && a.ours() {
		return ok(check, "POST %s reaches the server", mintPath)
	}
	said, do := a.foreign()
	return fail(check, "POST "+mintPath+": "+said, do)
}

// upload judges the answer to an upload of nobody, which Sluice refuses after it has read the whole body.
func upload(a answer) Finding {
	const check = "upload"
	size := fmt.Sprintf("%d MiB", uploadSize>>20)
	switch {
	case a.err != nil:
		return fail(check, "a body of "+size+" is cut off on the way: "+shown(a.err.Error()),
			"Lift the limits of the proxy on the size and the time of bodies; in nginx: client_max_body_size 0")
	case a.status == http.StatusUnauthorized && a.ours():
		return ok(check, "a body of %s reaches the server", size)
	case a.status == http.StatusRequestEntityTooLarge && a.ours():
		return look(check, "the server itself takes no body of "+size+": "+a.refusal(), "Raise the server's upload_max if packages are larger")
	}
	said, do := a.foreign()
	return fail(check, "POST "+uploadPath+" of "+size+": "+said, do)
}
