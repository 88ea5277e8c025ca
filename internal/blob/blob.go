// Package blob keeps the bytes of packages, each under its SHA-256, so that what was acknowledged is
// there after any crash and what was not leaves nothing behind. It must not know what a package is, who
// uploads it, or where references to blobs are written down: it asks about those through References.
//
// A blob and the reference to it lie in two places (a folder, a database) that cannot change in one
// step. So whoever is about to write or to delete a reference takes a Hold first, which puts the doubt
// on disk before anything else happens:
//
//	stage, err := store.Stage(ctx)
//	defer stage.Discard()
//	… copy the body into stage, hashing it; read it through ReadAt; check it …
//	hold, err := stage.Keep(ctx, sum)    // durable now, and seen by nobody
//	err = commit(ctx, …)                 // the transaction that names the blob
//	switch {
//	case err == nil:     hold.Settle()
//	case rolled back:    hold.Release(ctx)
//	default:             // outcome unknown: leave the hold, the next start asks
//	}
//
// and to delete: Store.Hold, the transaction that removes the reference, Release.
package blob

import (
	"context"
	"crypto/sha256"
	"io"
	"iter"
)

// Sum is the SHA-256 of a blob, and its name.
type Sum = [sha256.Size]byte

// References reports whether anything that is committed names the blob. Two things must hold for it. A
// transaction creates the first reference to a blob only while its caller has a Hold on the blob. And
// when References is asked, every transaction that ended before is visible to it.
type References func(ctx context.Context, sum Sum) (bool, error)

// Store keeps blobs. Its methods may be called by any number of goroutines.
type Store interface {
	// Stage begins to receive bytes that nobody else can see. The caller ends it by Keep or Discard.
	Stage(ctx context.Context) (Stage, error)
	// Hold keeps the blob from being removed until the hold is ended. When it returns, a crash at any
	// later moment leads to the question whether the blob is still referenced. The blob need not exist.
	Hold(ctx context.Context, sum Sum) (Hold, error)
	// Open reads a blob from its beginning and tells its size in bytes. The error is fs.ErrNotExist when
	// there is no such blob. From a folder the reader is an *os.File, so that sendfile works. A reader
	// that is open goes on reading the same bytes when the blob is removed.
	Open(ctx context.Context, sum Sum) (io.ReadSeekCloser, int64, error)
	// All lists every blob there is. Those that come or go meanwhile may be among them or not. After an error it goes
	// no further.
	All(ctx context.Context) iter.Seq2[Sum, error]
	// Held reports whether the fate of a blob is undecided: some process holds it, or did so when it ended.
	Held(ctx context.Context, sum Sum) (bool, error)
}

// Stage holds bytes on their way in. It is for one goroutine, but ReadAt may run in several once the
// writing has ended.
type Stage interface {
	// Write appends. The error is a fault.NoSpace when the store is full. Nothing is durable yet.
	io.Writer
	// ReadAt reads what has been written.
	io.ReaderAt
	// Size is the number of bytes written.
	Size() int64
	// Keep makes the bytes the blob of the given sum, which the caller has computed from exactly what it
	// wrote. When Keep returns without error the blob survives power loss, and so does the knowledge
	// that it may be unreferenced. When it returns an error nothing remains. A blob that is there
	// already is replaced by these same bytes; its readers do not notice. The stage is over either way.
	Keep(ctx context.Context, sum Sum) (Hold, error)
	// Discard throws the bytes away. After Keep it does nothing, so it may be deferred.
	Discard() error
}

// Hold keeps one blob in place while its fate is undecided. The last one to be released decides. It is
// for one goroutine. A second end does nothing. A hold that is never ended costs one question at the
// next start, and pins the blob until then.
type Hold interface {
	// Settle ends the hold after a commit that references the blob. An error does not undo anything: it
	// only means that the next start asks once more.
	Settle() error
	// Release ends the hold in every other case: the blob is removed if no other hold is on it and
	// nothing references it. It does its work even when ctx is cancelled. On error the blob stays, and
	// the next start decides. Do not call it while the outcome of a transaction is unknown: one that
	// commits afterwards would name a blob that is gone.
	Release(ctx context.Context) error
}
