package repodata

import "slices"

// Shard makes the file of one package name (CEP 16) from its members, those of .tar.bz2 and those of
// .conda files, each sorted by file name. The SHA-256 of the result is the shard's name. The file is one
// zstd frame that declares its size, with a window of 128 KiB. Its cost is that of all its members: a
// name of a thousand takes some milliseconds.
func (e *Encoder) Shard(tarBz2, condas [][]byte) []byte {
	raw := rawShard(tarBz2, condas)
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.trim()
	blocks := e.vet(e.blocks(raw), raw, e.start)
	file := make([]byte, 0, frameHeader+len(blocks)+len(frameEnd))
	file = append(appendFrameHeader(file, int64(len(raw))), blocks...)
	return append(file, frameEnd...)
}

// rawShard is {"packages": …, "packages.conda": …, "removed": []}, all three always: rattler has no
// default for the first.
func rawShard(tarBz2, condas [][]byte) []byte {
	tars, cons := slices.Concat(tarBz2...), slices.Concat(condas...)
	const rest = 64 // more than keys and headers take
	b := make([]byte, 0, len(tars)+len(cons)+rest)
	b = appendMap(b, 3)
	b = append(appendMap(appendStr(b, "packages"), len(tarBz2)), tars...)
	b = append(appendMap(appendStr(b, "packages.conda"), len(condas)), cons...)
	return appendArray(appendStr(b, "removed"), 0)
}
