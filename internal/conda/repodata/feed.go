package repodata

import (
	"context"
	"fmt"
)

// batchSize is how many bytes of blocks are fetched at once, or one block where that is larger: enough to make the way
// to a database worth while, and little enough that a thousand slow readers hold no more than they would of sockets.
const batchSize = 256 << 10

// feed fetches the blocks of a file in the order in which they stand in it: a batch, and while that is being read the
// next one. Only the reader that owns it may use it.
type feed struct {
	ctx    context.Context //nolint:containedctx // it lives for one reading of a file
	file   File
	blocks Blocks
	now    batch
	ahead  chan batch // brings the next batch; nil when nothing is under way
	cancel context.CancelFunc
}

// batch is the blocks of neighbouring pieces.
type batch struct {
	chunks []int // in which the blocks stand, in order
	blocks [][]byte
	err    error
}

// block returns the block of the piece that is the chunk. Its bytes are good until the next call.
func (f *feed) block(chunk int) ([]byte, error) {
	if b, ok := f.now.take(chunk); ok {
		return b, nil
	}
	f.now = f.next(chunk)
	if f.now.err != nil {
		return nil, f.now.err
	}
	f.look(f.now.chunks[len(f.now.chunks)-1] + 1)
	b, _ := f.now.take(chunk)
	return b, nil
}

// take returns the block of the chunk and forgets those before it.
func (b *batch) take(chunk int) ([]byte, bool) {
	for i, c := range b.chunks {
		if c == chunk {
			block := b.blocks[i]
			b.chunks, b.blocks = b.chunks[i:], b.blocks[i:]
			return block, true
		}
	}
	return nil, false
}

// next is the batch that begins with the chunk: the one that is under way, or after a seek another one.
func (f *feed) next(chunk int) batch {
	if f.ahead != nil {
		b := <-f.ahead
		f.ahead = nil
		if len(b.chunks) > 0 && b.chunks[0] == chunk {
			return b
		}
	}
	return f.fetch(f.ctx, chunk)
}

// look begins to fetch the batch that begins with the first piece from the chunk on, if there is one.
func (f *feed) look(chunk int) {
	last := f.file.chunks()
	for ; chunk < last; chunk++ {
		if _, _, isPiece := f.file.chunk(chunk); isPiece {
			break
		}
	}
	if chunk == last {
		return
	}
	if f.cancel == nil {
		f.ctx, f.cancel = context.WithCancel(f.ctx)
	}
	ctx, ahead := f.ctx, make(chan batch, 1)
	f.ahead = ahead
	go func() { ahead <- f.fetch(ctx, chunk) }()
}

// fetch brings the blocks of the pieces from the chunk on, a batch of them.
func (f *feed) fetch(ctx context.Context, chunk int) batch {
	var b batch
	var numbers []int64
	size := 0
	for last := f.file.chunks(); chunk < last && (size == 0 || size < batchSize); chunk++ {
		if _, p, isPiece := f.file.chunk(chunk); isPiece {
			b.chunks, numbers = append(b.chunks, chunk), append(numbers, p.Block)
			size += p.BlockLen
		}
	}
	b.blocks, b.err = f.blocks.Blocks(ctx, numbers)
	for i, block := range b.blocks {
		if n := f.file.chunkLen(b.chunks[i]); len(block) != n && b.err == nil {
			b.err = fmt.Errorf("block %d of an index file has %d bytes instead of %d", numbers[i], len(block), n)
		}
	}
	if b.err == nil && len(b.blocks) != len(numbers) {
		b.err = fmt.Errorf("%d blocks of an index file instead of %d", len(b.blocks), len(numbers))
	}
	return b
}

// stop ends what is under way, and waits for it.
func (f *feed) stop() {
	if f.cancel != nil {
		f.cancel()
	}
	if f.ahead != nil {
		<-f.ahead
		f.ahead = nil
	}
	f.now = batch{}
}
