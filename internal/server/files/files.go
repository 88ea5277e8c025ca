// Package files serves channels to the clients that read them: index files, shards, packages, notices. It
// speaks their protocol, with validators, ranges and honest cache lifetimes, and answers refusals with one
// plain sentence. It must not know how files come about.
package files

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"sluice/internal/access"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/server/caller"
	"sluice/internal/server/reply"
)

// Channels finds channels by name.
type Channels interface {
	ChannelByName(ctx context.Context, name conda.Channel) (channel.Channel, error)
}

// Artifacts finds where the bytes of a listed artifact are.
type Artifacts interface {
	Locate(ctx context.Context, p index.Place, f conda.Filename) (db.Located, error)
	Sidecar(ctx context.Context, p index.Place, f conda.Filename, sum *[32]byte) (db.Sidecar, error)
}

// Blobs reads bytes.
type Blobs interface {
	Open(ctx context.Context, sum [32]byte) (io.ReadSeekCloser, int64, error)
}

// Files is an http.Handler for every path that is nothing else's.
type Files struct {
	Channels  Channels
	Access    *access.Access
	Index     *index.Index
	Artifacts Artifacts
	Blobs     Blobs
	// HTTPS says that the public address begins with https, which decides the name of a session's cookie.
	HTTPS bool

	buffers buffers
	small   bodies
}

// ServeHTTP answers GET and HEAD; any other method meets a path that is not there, because clients send a
// whole body again after a 405.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := f.serve(w, r); err != nil {
		reply.Error(w, r, err)
	}
}

func (f *Files) serve(w http.ResponseWriter, r *http.Request) error {
	path, credential := r.URL.Path, caller.Credential(r)
	if rest, ok := strings.CutPrefix(path, "/t/"); ok {
		token, rest, _ := strings.Cut(rest, "/")
		path, credential = "/"+rest, token
	}
	t := parse(path)
	if t.kind == nothing || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nothingHere()
	}
	if t.kind == top { // people open it, clients never do; the page finds out who may see what
		http.Redirect(w, r, "/channels/"+t.channel.String(), http.StatusSeeOther)
		return nil
	}
	ch, err := f.mayRead(r, t.channel, credential)
	if err != nil {
		return err
	}
	if ch.Visibility == channel.Public {
		w.Header()["Access-Control-Allow-Origin"] = everybody // solvers that run in browsers
	}
	switch t.kind {
	case notices:
		return f.notices(w, r, ch)
	case indexFile, channelData:
		return f.indexFile(w, r, ch, t)
	case shard:
		return f.shard(w, r, ch, t)
	case sidecar, oldSidecar:
		return f.sidecar(w, r, ch, t)
	default:
		return f.artifact(w, r, ch, t)
	}
}

func nothingHere() error {
	return fault.New(fault.NotFound, "There is nothing at this address: a channel's files are at /CHANNEL/SUBDIR/FILE.")
}

// mayRead finds the channel and decides. On a public channel no credential is looked at: clients send theirs
// to every channel of a host. A signed-in browser may follow the links of a private channel's pages.
func (f *Files) mayRead(r *http.Request, name conda.Channel, credential string) (channel.Channel, error) {
	ctx := r.Context()
	ch, err := f.Channels.ChannelByName(ctx, name)
	if err != nil || ch.Visibility == channel.Public {
		return ch, err
	}
	var p access.Principal
	if credential != "" {
		p, err = f.Access.Bearer(ctx, credential)
	} else {
		p, err = caller.Finder{Access: f.Access, HTTPS: f.HTTPS}.Find(r)
	}
	if err != nil {
		return ch, err
	}
	return ch, f.Access.MayRead(ctx, p, ch)
}

func (f *Files) notices(w http.ResponseWriter, r *http.Request, ch channel.Channel) error {
	c := content{kind: typeJSON, cache: lifetime(ch, false), modified: ch.CreatedAt, etag: `"` + hex.EncodeToString([]byte(ch.Name.String())) + `-notices-1"`}
	return c.sendBytes(w, r, []byte(repodata.Notices))
}

// find returns the index file that is meant, as it is now.
func (f *Files) find(ctx context.Context, ch channel.Channel, t target) (*index.File, error) {
	if t.kind == channelData {
		return f.Index.ChannelData(ctx, index.Label{ChannelID: ch.ID, Name: t.label}, ch.CreatedAt)
	}
	return f.Index.File(ctx, index.Place{ChannelID: ch.ID, Label: t.label, Subdir: t.subdir}, ch.CreatedAt, t.index)
}

func (f *Files) indexFile(w http.ResponseWriter, r *http.Request, ch channel.Channel, t target) error {
	file, err := f.find(r.Context(), ch, t)
	if err != nil {
		return err
	}
	c := content{kind: typeJSON, cache: lifetime(ch, false), modified: file.CommittedAt, etag: file.ETag}
	if strings.HasSuffix(string(t.index), ".zst") {
		c.kind = typeZstd
	}
	if c.unchanged(r) {
		c.notModified(w)
		return nil
	}
	whole, ok, err := file.Whole(r.Context())
	if err != nil {
		return err
	}
	if ok {
		return c.sendBytes(w, r, whole)
	}
	body := file.Open(r.Context())
	defer func() { _ = body.Close() }() // it was only read
	return c.send(w, r, body, file.Size(), &f.buffers)
}

func (f *Files) shard(w http.ResponseWriter, r *http.Request, ch channel.Channel, t target) error {
	b, err := f.Index.Shard(r.Context(), index.Place{ChannelID: ch.ID, Label: t.label, Subdir: t.subdir}, t.sha256)
	if err != nil {
		return err
	}
	c := content{kind: typeZstd, cache: lifetime(ch, true), etag: etag(t.sha256, ch, t, "")}
	return c.sendBytes(w, r, b)
}

func (f *Files) artifact(w http.ResponseWriter, r *http.Request, ch channel.Channel, t target) error {
	at, err := f.Artifacts.Locate(r.Context(), index.Place{ChannelID: ch.ID, Label: t.label, Subdir: t.subdir}, t.file)
	if err != nil {
		return err
	}
	c := content{kind: typeBytes, cache: lifetime(ch, !ch.Replaceable), modified: at.At, etag: etag(at.SHA256, ch, t, "-"+t.file.String())}
	if c.unchanged(r) {
		c.notModified(w)
		return nil
	}
	if body, ok := f.small.get(at.SHA256); ok {
		return c.sendBytes(w, r, body)
	}
	body, size, err := f.Blobs.Open(r.Context(), at.SHA256)
	if errors.Is(err, fs.ErrNotExist) || err == nil && size != at.Size {
		return fmt.Errorf("the bytes of %s/%s/%s are missing from the store (%d of %d): %w", ch.Name, t.subdir, t.file, size, at.Size, err)
	} else if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	if size > smallBody {
		return c.sendFile(w, r, body, size)
	}
	whole, err := readAll(body, size)
	if err != nil {
		return err
	}
	f.small.keep(at.SHA256, whole)
	return c.sendBytes(w, r, whole)
}

// sidecar answers with the attestations of a package. Those that are named by their hash never change.
func (f *Files) sidecar(w http.ResponseWriter, r *http.Request, ch channel.Channel, t target) error {
	sum, cache := &t.sha256, lifetime(ch, true)
	if t.kind == sidecar {
		sum, cache = nil, askAgain(ch)
	}
	s, err := f.Artifacts.Sidecar(r.Context(), index.Place{ChannelID: ch.ID, Label: t.label, Subdir: t.subdir}, t.file, sum)
	if err != nil {
		return err
	}
	c := content{kind: typeJSON, cache: cache, modified: s.At, etag: etag(s.SHA256, ch, t, "-"+path.Base(r.URL.Path))}
	return c.sendBytes(w, r, s.Body)
}

// etag is the validator of what is named by its hash, another one at every address.
func etag(sum [32]byte, ch channel.Channel, t target, rest string) string {
	return `"` + hex.EncodeToString(sum[:]) + "-" + ch.Name.String() + "-" + t.label.String() + "-" + t.subdir.String() + rest + `"`
}
