package repodata

import "bytes"

// Agrees reports whether block, wherever in a frame it stands, decodes to raw: what Compress promises of the blocks that
// it makes, of whatever version it was.
func (e *Encoder) Agrees(block, raw []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.trim()
	for _, p := range e.seams {
		var ok bool
		if ok, e.out = p.agrees(e.dec, block, raw, e.out); !ok {
			return false
		}
	}
	return true
}

// AgreesShard reports whether file is a shard of these members and of no others, however well it was compressed.
func (e *Encoder) AgreesShard(file []byte, m ShardMembers) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.trim()
	raw, err := e.dec.DecodeAll(file, e.out[:0])
	e.out = raw
	return err == nil && bytes.Equal(raw, rawShard(m))
}
