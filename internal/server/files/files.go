// Package files serves channels to the clients that read them: index files, shards, packages, notices. It
// speaks their protocol, with validators, ranges and honest cache lifetimes, and answers refusals with one
// plain sentence. It must not know how files come about.
package files

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

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
		w.Header().Set("Access-Control-Allow-Origin", "*") // solvers that run in browsers
	}
	switch t.kind {
	case notices:
		return f.notices(w, r, ch)
	case indexFile:
		return f.indexFile(w, r, ch, t)
	case shard:
		return f.shard(w, r, ch, t)
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

// Lifetimes. An index of a public channel may be half a minute old; what is named by its hash, or can never
// be replaced, is good for ever.
const (
	shortPublic   = "public, max-age=30"
	shortPrivate  = "no-cache"
	foreverPublic = "public, max-age=31536000, immutable"
	foreverOwn    = "private, max-age=31536000, immutable"
)

func cacheFor(h http.Header, ch channel.Channel, immutable bool) {
	switch {
	case ch.Visibility == channel.Public && immutable:
		h.Set("Cache-Control", foreverPublic)
	case ch.Visibility == channel.Public:
		h.Set("Cache-Control", shortPublic)
	case immutable:
		h.Set("Cache-Control", foreverOwn)
	default:
		h.Set("Cache-Control", shortPrivate)
	}
	if ch.Visibility != channel.Public {
		h.Set("Vary", "Authorization, Cookie")
	}
}

func (f *Files) notices(w http.ResponseWriter, r *http.Request, ch channel.Channel) error {
	h := w.Header()
	cacheFor(h, ch, false)
	h.Set("Content-Type", "application/json")
	h.Set("ETag", `"`+hex.EncodeToString([]byte(ch.Name.String()))+`-notices-1"`)
	http.ServeContent(w, r, "", ch.CreatedAt, strings.NewReader(repodata.Notices))
	return nil
}

func (f *Files) indexFile(w http.ResponseWriter, r *http.Request, ch channel.Channel, t target) error {
	file, err := f.Index.File(r.Context(), index.Place{ChannelID: ch.ID, Label: t.label, Subdir: t.subdir}, ch.CreatedAt, t.index)
	if err != nil {
		return err
	}
	h := w.Header()
	cacheFor(h, ch, false)
	h.Set("ETag", file.ETag)
	h.Set("Content-Type", "application/zstd")
	if strings.HasSuffix(string(t.index), ".json") {
		h.Set("Content-Type", "application/json")
	}
	body := file.Open(r.Context())
	defer func() { _ = body.Close() }() // it was only read
	http.ServeContent(w, r, "", file.CommittedAt, body)
	return nil
}

func (f *Files) shard(w http.ResponseWriter, r *http.Request, ch channel.Channel, t target) error {
	b, err := f.Index.Shard(r.Context(), index.Place{ChannelID: ch.ID, Label: t.label, Subdir: t.subdir}, t.sha256)
	if err != nil {
		return err
	}
	h := w.Header()
	cacheFor(h, ch, true)
	h.Set("Content-Type", "application/zstd")
	h.Set("ETag", fmt.Sprintf(`"%x-%s-%s-%s"`, t.sha256, ch.Name, t.label, t.subdir))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}

func (f *Files) artifact(w http.ResponseWriter, r *http.Request, ch channel.Channel, t target) error {
	at, err := f.Artifacts.Locate(r.Context(), index.Place{ChannelID: ch.ID, Label: t.label, Subdir: t.subdir}, t.file)
	if err != nil {
		return err
	}
	body, size, err := f.Blobs.Open(r.Context(), at.SHA256)
	if errors.Is(err, fs.ErrNotExist) || err == nil && size != at.Size {
		return fmt.Errorf("the bytes of %s/%s/%s are missing from the store (%d of %d): %w", ch.Name, t.subdir, t.file, size, at.Size, err)
	} else if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	h := w.Header()
	cacheFor(h, ch, true)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", fmt.Sprintf(`"%x-%s-%s-%s-%s"`, at.SHA256, ch.Name, t.label, t.subdir, t.file))
	http.ServeContent(w, r, "", at.At, body)
	return nil
}
