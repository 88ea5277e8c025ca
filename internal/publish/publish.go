// Package publish is the one way in for artifacts: it takes a body from a caller who may upload, proves
// that it is a package that clients can install and that the caller may publish under that name, and makes
// it visible in one transaction, or leaves nothing behind. It must not know of HTTP or SQL.
package publish

import (
	"context"
	"crypto/md5" //nolint:gosec // clients of the format still ask for it beside SHA-256
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"time"

	"sluice/internal/access"
	"sluice/internal/attest"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

// Config is what Uploads are made of. All fields are required. All packages that are read at once share one
// bounded memory: the others wait with their bytes in the staging area.
type Config struct {
	Blobs  blob.Store
	Store  Store
	Log    *slog.Logger
	Now    func() time.Time
	Limits artifact.Limits
	// MaxSize bounds one package, in bytes.
	MaxSize int64
	// URL is the public address of the server: with a channel's name after it, what attestations are made for.
	URL string
	// Attest checks attestations, Signers who signed them.
	Attest  *attest.Checker
	Signers Signers
}

// Uploads is the use case of an upload.
type Uploads struct {
	Config

	committer *committer
}

// New makes the use case.
func New(c Config) *Uploads {
	c.Limits.Memory = NewMemory(c.Limits)
	return &Uploads{Config: c, committer: newCommitter(c.Store)}
}

// Announced is what a client says of a file before it sends it.
type Announced struct {
	// File is its name.
	File conda.Filename
	// SHA256 is its digest; nil when the client did not say.
	SHA256 *[32]byte
	// Force asks to replace an artifact that exists.
	Force bool
	// Bare says that the body is the file alone, with no room for attestations.
	Bare bool
}

// Received is a body that lies in the staging area, whole and hashed, seen by nobody. Its holder calls
// Publish or Discard, and Discard does nothing after Publish.
type Received struct {
	uploads *Uploads
	file    conda.Filename
	staged  blob.Stage
	sha256  [32]byte
	md5     [16]byte
	size    int64
	force   bool
	bare    bool
	// bundles are its attestations, not looked at so far.
	bundles [][]byte
}

// Receive reads a body to its end into the staging area. Errors: fault.TooLarge beyond MaxSize,
// fault.HashMismatch when the bytes are not those that were announced, fault.NoSpace; any error of the body.
// The caller drains what is left of the body.
func (u *Uploads) Receive(ctx context.Context, a Announced, body io.Reader) (*Received, error) {
	staged, err := u.Blobs.Stage(ctx)
	if err != nil {
		return nil, err
	}
	r := &Received{uploads: u, file: a.File, staged: staged, force: a.Force, bare: a.Bare}
	if err := r.fill(body, a.SHA256); err != nil {
		return nil, errors.Join(err, staged.Discard())
	}
	return r, nil
}

// copyBuffer is how much of a body is in memory at once.
const copyBuffer = 256 << 10

func (r *Received) fill(body io.Reader, want *[32]byte) error {
	sha, md := sha256.New(), md5.New() //nolint:gosec // see the import
	sums := &sums{sha: sha, md5: md}
	limit := r.uploads.MaxSize
	n, err := io.CopyBuffer(onlyWriter{io.MultiWriter(r.staged, sums)}, io.LimitReader(body, limit+1), make([]byte, copyBuffer))
	if err != nil {
		return err
	}
	if n > limit {
		return TooLarge(limit)
	}
	if n == 0 {
		return fault.New(fault.InvalidPackage, "%s is empty: no bytes came.", r.file)
	}
	sha.Sum(r.sha256[:0])
	md.Sum(r.md5[:0])
	r.size = n
	if want != nil && *want != r.sha256 {
		return fault.New(fault.HashMismatch, "%s arrived with SHA-256 %x, but %x was announced: the file was changed or cut on its way, send it again.", r.file, r.sha256, *want)
	}
	return nil
}

// TooLarge is the refusal of a package beyond the limit, in bytes.
func TooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "A package may have at most %d bytes here. The operator can raise upload_max.", limit)
}

// sums feeds two hashes. MD5 is the slower one; together they still outrun any disk.
type sums struct{ sha, md5 hash.Hash }

func (s *sums) Write(p []byte) (int, error) {
	_, _ = s.sha.Write(p) // a hash never fails
	_, _ = s.md5.Write(p)
	return len(p), nil
}

// onlyWriter hides ReadFrom, so that the copy uses our buffer and its bound.
type onlyWriter struct{ io.Writer }

// Discard throws the body away. It is safe to call at any time, and more than once.
func (r *Received) Discard() error { return r.staged.Discard() }

// Publish reads the package, checks it and makes it visible in ch. Whatever it returns, nothing of the body
// is left in the staging area; after an error nothing is visible, except when the database went away in the
// middle of the commit: then either nothing or everything is.
func (r *Received) Publish(ctx context.Context, ch channel.Channel, right access.Right) (Outcome, error) {
	defer r.discard(ctx)
	pkg, err := r.open(ctx)
	if err != nil {
		return Outcome{}, err
	}
	grants, err := right.Grants(pkg.Record.Name, pkg.Record.Subdir)
	if err != nil {
		return Outcome{}, err
	}
	c := r.describe(ctx, ch, right, grants, pkg)
	if err := r.attest(ctx, &c); err != nil {
		return Outcome{}, err
	}
	if err := CheckRevision(c); err != nil {
		return Outcome{}, err
	}
	return r.commit(ctx, c)
}

// CheckRevision refuses what only readers of repodata revision 3 could use, where the channel does not want it
// (fault.V3NotAllowed), and what they could not read (fault.InvalidPackage): we own no writer of specifications.
func CheckRevision(c Commit) error {
	if !c.V3 {
		return nil
	}
	if c.Channel.RefuseV3 {
		return fault.New(fault.V3NotAllowed, "Channel %s does not allow v3 repodata uploads, and %s needs it (extras, flags or conditions in its dependencies): build it without them, or let an owner of the channel allow it.",
			c.Channel.Name, c.File)
	}
	if err := c.Record.CheckV3(); err != nil {
		return fault.Wrap(err, fault.InvalidPackage, "%s is refused: it needs repodata of revision 3, and %v. Build it with a newer rattler-build.", c.File, err)
	}
	return nil
}

func (r *Received) discard(ctx context.Context) {
	if err := r.staged.Discard(); err != nil {
		r.uploads.Log.LogAttrs(ctx, slog.LevelError, "staged body stays until the next start", slog.String("file", r.file.String()), slog.Any("cause", err))
	}
}

// readTime bounds the reading of one package and the wait for its turn: bzip2 gives the slowest, and 5 GiB of
// it unpack in a quarter of that.
const readTime = 30 * time.Minute

var errReadTime = errors.New("the package took too long to read")

// open reads the package out of the staging area.
func (r *Received) open(ctx context.Context) (*artifact.Package, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readTime, errReadTime)
	defer cancel()
	limits := r.uploads.Limits
	limits.Now = r.uploads.Now()
	pkg, err := artifact.Read(ctx, r.staged, r.size, r.file, limits)
	if bad, ok := errors.AsType[*artifact.FormatError](err); ok {
		code := fault.InvalidPackage
		if bad.Limit {
			code = fault.TooLarge
		}
		return nil, fault.Wrap(err, code, "%s is refused: %s", r.file, bad.Why)
	} else if err != nil && errors.Is(context.Cause(ctx), errReadTime) {
		return nil, fault.Wrap(err, fault.InvalidPackage, "%s is refused: it did not unpack within %v.", r.file, readTime)
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.file, err)
	}
	return pkg, nil
}

// v3 is the revision of repodata of CEP 48.
const v3 = 3

func (r *Received) describe(ctx context.Context, ch channel.Channel, right access.Right, grants []trust.Grant, pkg *artifact.Package) Commit {
	rec := pkg.Record
	rec.MD5, rec.SHA256, rec.Size = r.md5, r.sha256, r.size
	return Commit{
		Channel: ch, Address: r.uploads.URL + "/" + ch.Name.String(), Labels: []conda.Label{conda.MainLabel()}, File: r.file, Record: rec, RunExports: pkg.RunExports, Traits: pkg.Traits,
		RawIndex: pkg.RawIndex, About: pkg.About, V3: rec.NeedsV3() || pkg.SchemaVersion >= v3, Right: right, Grants: grants, Force: r.force,
		Event: audit.Event{
			Kind: audit.Uploaded, ChannelID: ch.ID, Channel: ch.Name.String(), Subject: rec.Subdir.String() + "/" + r.file.String(),
			Facts: map[string]string{"sha256": hex.EncodeToString(r.sha256[:])}, RequestID: audit.Request(ctx),
		},
	}
}

// commit makes the bytes durable, then visible. The blob goes first: a crash in between leaves bytes that
// nobody sees, which the next start takes away. From here on the client's connection has no say.
func (r *Received) commit(ctx context.Context, c Commit) (Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	line := r.uploads.committer.enter(c.Channel.ID, c.Record.Subdir)
	hold, err := r.staged.Keep(ctx, r.sha256)
	if err != nil {
		r.uploads.committer.leave(line)
		return Outcome{}, err
	}
	out, err := r.uploads.committer.commit(ctx, line, c)
	if err == nil {
		if err := hold.Settle(); err != nil {
			r.uploads.Log.LogAttrs(ctx, slog.LevelWarn, "a published blob is looked at again at the next start", slog.String("file", c.File.String()), slog.Any("cause", err))
		}
		return out, nil
	}
	if _, refused := errors.AsType[*fault.Error](err); refused {
		return out, errors.Join(err, hold.Release(ctx))
	}
	// Whether it was committed is not known, so the bytes stay for the next start to decide about.
	return out, err
}

// File is the name under which the body came.
func (r *Received) File() conda.Filename { return r.file }
