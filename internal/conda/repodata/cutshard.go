package repodata

import "fmt"

// A CutShard is a shard taken apart: its members, each with its key as the map has it, in order, and the names of
// removed files.
type CutShard struct {
	TarBz2, Conda, TarBz2V3, CondaV3 []CutMember
	Removed                          []string
}

// CutShard takes apart a shard that Shard made, without understanding its records. The members share memory that
// nobody else has.
func (e *Encoder) CutShard(file []byte) (CutShard, error) {
	raw, err := e.inflate(file)
	if err != nil {
		return CutShard{}, fmt.Errorf("take a shard apart: %w", err)
	}
	c := &shardCutter{unpacker: unpacker{b: raw}}
	c.shard()
	if err := c.end(); err != nil {
		return CutShard{}, fmt.Errorf("take a shard apart: %w", err)
	}
	return c.cut, nil
}

// inflate decodes a frame of ours.
func (e *Encoder) inflate(file []byte) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dec.DecodeAll(file, nil)
}

type shardCutter struct {
	unpacker

	cut CutShard
}

func (c *shardCutter) shard() {
	for range c.keys() {
		switch key := c.str(); key {
		case "packages":
			c.cut.TarBz2 = c.members()
		case "packages.conda":
			c.cut.Conda = c.members()
		case "removed":
			for range c.times(c.arrayLen()) {
				c.cut.Removed = append(c.cut.Removed, c.str())
			}
		case "v3":
			c.v3()
		default:
			c.fail(fmt.Errorf("it has the unknown key %.64q", key))
		}
	}
}

func (c *shardCutter) v3() {
	for range c.keys() {
		switch key := c.str(); key {
		case "conda":
			c.cut.CondaV3 = c.members()
		case "tar.bz2":
			c.cut.TarBz2V3 = c.members()
		default:
			c.fail(fmt.Errorf("it has the unknown key %.64q in v3", key))
		}
	}
}

func (c *shardCutter) members() (all []CutMember) {
	for range c.keys() {
		start := c.at
		key := c.str()
		c.skip(0)
		if c.err == nil {
			all = append(all, CutMember{key, c.b[start:c.at:c.at]})
		}
	}
	return all
}

// skip reads any value.
func (u *unpacker) skip(depth int) {
	if depth > maxDepth {
		u.fail(errDepth)
	}
	if u.err != nil {
		return
	}
	switch c := u.first(); {
	case c&0xF0 == 0x80 || c == 0xDE || c == 0xDF:
		for range u.times(u.count(c, 0x80, 0xDE)) {
			u.skip(depth + 1)
			u.skip(depth + 1)
		}
	case c&0xF0 == 0x90 || c == 0xDC || c == 0xDD:
		for range u.times(u.count(c, 0x90, 0xDC)) {
			u.skip(depth + 1)
		}
	case c&0xE0 == 0xA0 || 0xD9 <= c && c <= 0xDB:
		u.text(c)
	case 0xC4 <= c && c <= 0xC6:
		u.bin(c)
	case 0xCC <= c && c <= 0xCF:
		u.take(1 << (c - 0xCC))
	case 0xD0 <= c && c <= 0xD3:
		u.take(1 << (c - 0xD0))
	case c < 0x80 || c >= 0xE0:
	default:
		u.fail(errType)
	}
}
