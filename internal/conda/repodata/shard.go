package repodata

// ShardMembers are the members of one package name's shard, each list sorted by file name.
type ShardMembers struct {
	// TarBz2 and Conda are what ShardMember made, TarBz2V3 and CondaV3 what ShardMemberV3 made.
	TarBz2, Conda, TarBz2V3, CondaV3 [][]byte
	// Removed are the names of files that are yanked.
	Removed []string
}

// Shard makes the file of one package name (CEP 16). The SHA-256 of the result is the shard's name. The file is one
// zstd frame that declares its size, with a window of 128 KiB. Its cost is that of all its members: a name of a
// thousand takes some milliseconds.
func (e *Encoder) Shard(m ShardMembers) []byte {
	raw := rawShard(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.trim()
	blocks := e.vet(e.blocks(raw), raw, e.start)
	file := make([]byte, 0, frameHeader+len(blocks)+len(frameEnd))
	file = append(appendFrameHeader(file, int64(len(raw))), blocks...)
	return append(file, frameEnd...)
}

// rawShard is {"packages": …, "packages.conda": …, "removed": […]}, all three always: rattler has no default for the
// first. "v3" (CEP 48) follows only where there is something in it, so that older readers see what they always saw.
func rawShard(m ShardMembers) []byte {
	v3 := len(m.TarBz2V3)+len(m.CondaV3) > 0
	keys := 3
	if v3 {
		keys++
	}
	b := appendMap(make([]byte, 0, m.size()), keys)
	b = appendMembers(appendStr(b, "packages"), m.TarBz2)
	b = appendMembers(appendStr(b, "packages.conda"), m.Conda)
	b = appendArray(appendStr(b, "removed"), len(m.Removed))
	for _, f := range m.Removed {
		b = appendStr(b, f)
	}
	if v3 {
		b = appendMap(appendStr(b, "v3"), 2)
		b = appendMembers(appendStr(b, "conda"), m.CondaV3)
		b = appendMembers(appendStr(b, "tar.bz2"), m.TarBz2V3)
	}
	return b
}

func appendMembers(b []byte, members [][]byte) []byte {
	b = appendMap(b, len(members))
	for _, m := range members {
		b = append(b, m...)
	}
	return b
}

// size is at least what the raw shard takes.
func (m ShardMembers) size() int {
	n := 96 // keys and headers
	for _, list := range [][][]byte{m.TarBz2, m.Conda, m.TarBz2V3, m.CondaV3} {
		for _, b := range list {
			n += len(b)
		}
	}
	for _, f := range m.Removed {
		n += len(f) + 3
	}
	return n
}
