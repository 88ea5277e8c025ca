package artifact

import (
	"context"
	"time"
)

// Limits bound what Read takes. All sizes count decompressed bytes. Start from DefaultLimits.
type Limits struct {
	// Now is the time of the upload. It must be set: a build time that lies more than ten minutes after
	// it is refused.
	Now time.Time
	// Imported says that the package has been in a channel before: its info/index.json is read as ParseIndex
	// reads it without a clock, and a .conda file may lack metadata.json.
	Imported bool
	// ScanPayload makes Read walk the files to install, too. A .tar.bz2 is always walked whole.
	ScanPayload bool
	// InfoBytes and InfoEntries bound what is below info/.
	InfoBytes   int64
	InfoEntries int
	// PayloadBytes and PayloadEntries bound the files to install.
	PayloadBytes   int64
	PayloadEntries int
	// The sizes of single files. Paths is only streamed, the others are held.
	Metadata, Index, About, RunExports, Link, Paths int64
	// Past RatioFrom bytes, no stream may unpack to more than Ratio times what was read of it.
	RatioFrom, Ratio int64
	// Window bounds the window of a zstd frame. Clients take 128 MiB and no more.
	Window int64
	// Memory is what all packages that are read at once share; nil bounds nothing.
	Memory Memory
}

// Memory is a number of bytes that callers take from and give back: a window must be held whole while its
// frame is read, and several packages at once would hold several. It must have room for MostMemory.
type Memory interface {
	// Acquire takes n bytes, waiting for them in turn; its error is that of ctx.
	Acquire(ctx context.Context, n int64) error
	// Release gives them back.
	Release(n int64)
}

// readerMemory is what one reader takes beside a window: buffers, small files, and its paths.
const readerMemory = 8 << 20

// MostMemory is the most that Read takes of lim.Memory at once, in bytes.
func (lim Limits) MostMemory() int64 { return readerMemory + lim.Window }

// DefaultLimits are those of the channel format's reference: far above real packages, far below what
// hurts. Now is not set.
func DefaultLimits() Limits {
	const ki, mi, gi = 1 << 10, 1 << 20, 1 << 30
	return Limits{
		ScanPayload:    true,
		InfoBytes:      512 * mi,
		InfoEntries:    100_000,
		PayloadBytes:   64 * gi,
		PayloadEntries: 1_000_000,
		Metadata:       4 * ki,
		Index:          mi,
		About:          4 * mi,
		RunExports:     mi,
		Link:           mi,
		Paths:          256 * mi,
		RatioFrom:      64 * mi,
		Ratio:          1000,
		Window:         128 * mi,
	}
}
