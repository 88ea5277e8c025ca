package artifact_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// rawFrame is a zstd frame laid out by hand: descriptor and what follows it in the header, then data as
// raw blocks of at most so many bytes.
func rawFrame(descriptor byte, header, data []byte, block int) []byte {
	b := append([]byte("\x28\xb5\x2f\xfd"), descriptor)
	b = append(b, header...)
	for chunk := range slices.Chunk(data, block) {
		h := uint32(len(chunk)) << 3
		b = append(append(b, byte(h), byte(h>>8), byte(h>>16)), chunk...)
	}
	return append(b, 1, 0, 0) // the last block, empty
}

func TestZstd(t *testing.T) {
	t.Parallel()
	tarball := tarOf(good())
	frame := zst(tarball)
	size := len(tarball)
	le32 := func(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	skippable := func(magic string) []byte { return []byte(magic + "\x2a\x4d\x18\x03\x00\x00\x00abc") }
	dictionary := bytes.Clone(frame)
	dictionary[4] |= 1
	for _, tt := range []struct {
		name, why string
		data      []byte
	}{
		{"best", "", zst(tarball, zstd.WithEncoderLevel(zstd.SpeedBestCompression))},
		{"no checksum", "", zst(tarball, zstd.WithEncoderCRC(false))},
		{"single segment", "", zst(tarball, zstd.WithSingleSegment(true))},
		{"window of 128 MiB, size unknown", "", rawFrame(0, []byte{17 << 3}, tarball, 1000)},
		{"window of 128 MiB, size known", "", rawFrame(2<<6, append([]byte{17 << 3}, le32(size)...), tarball, 1000)},
		{"window of 1 KiB", "", rawFrame(0, []byte{0}, tarball, 1000)},
		{"window of 112 KiB", "", rawFrame(0, []byte{6<<3 | 6}, tarball, 1000)},
		{"reserved unused bit", "", rawFrame(1<<4, []byte{17 << 3}, tarball, 1000)},

		{"window of 144 MiB", "its zstd window is 150994944 bytes", rawFrame(0, []byte{17<<3 | 1}, tarball, 1000)},
		{"window of 3 TiB", "its zstd window is", rawFrame(0, []byte{31<<3 | 7}, tarball, 1000)},
		{"segment of 1 GiB", "its zstd window is 1073741824 bytes", rawFrame(2<<6|1<<5, le32(1<<30), tarball, 1000)},
		{"size told too small", "cannot be decompressed", rawFrame(2<<6, append([]byte{17 << 3}, le32(size-1)...), tarball, 1000)},
		{"size told too large", "cannot be decompressed", rawFrame(2<<6, append([]byte{17 << 3}, le32(size+1)...), tarball, 1000)},
		{"block beyond the window", "cannot be decompressed", rawFrame(0, []byte{0}, tarball, 1025)},
		{"dictionary", "needs a dictionary", dictionary},
		{"reserved bit", "reserved feature", rawFrame(1<<3, []byte{17 << 3}, tarball, 1000)},
		{"reserved block", "cannot be decompressed", []byte("\x28\xb5\x2f\xfd\x00\x88\x07\x00\x00")},
		{"two frames", "bytes after its zstd frame", slices.Concat(frame, frame)},
		{"two frames, empty one first", "bytes after its zstd frame", slices.Concat(rawFrame(0, []byte{0}, nil, 1), frame)},
		{"frame in halves", "bytes after its zstd frame", slices.Concat(zst(tarball[:512]), zst(tarball[512:]))},
		{"skippable first", "skippable", slices.Concat(skippable("\x50"), frame)},
		{"another skippable first", "skippable", slices.Concat(skippable("\x5f"), frame)},
		{"skippable behind", "bytes after its zstd frame", slices.Concat(frame, skippable("\x50"))},
		{"zero behind", "bytes after its zstd frame", append(bytes.Clone(frame), 0)},
		{"cut in the header", "cut short", frame[:5]},
		{"cut in a block", "cut short", frame[:len(frame)/2]},
		{"cut in the checksum", "cut short", frame[:len(frame)-1]},
		{"checksum wrong", "cannot be decompressed", append(bytes.Clone(frame[:len(frame)-1]), frame[len(frame)-1]^1)},
		{"damaged", "cannot be decompressed", func() []byte { b := bytes.Clone(frame); b[len(b)/2] ^= 0xff; return b }()},
		{"gzip", "not compressed with zstd", []byte("\x1f\x8b\x08\x00\x00\x00")},
		{"plain tar", "not compressed with zstd", tarball},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, condaOf(tt.data, nil), stem+".conda", tt.why)
		})
	}
}

func TestBzip2(t *testing.T) {
	t.Parallel()
	tarball := tarOf(good())
	stream := bz2(tarball)
	for _, tt := range []struct {
		name, why string
		data      []byte
	}{
		{"one stream", "", stream},
		{"a package that holds one", "", bz2(tarOf(good(), tarFile{path: "share/x.tar.bz2", data: string(stream)}, tarFile{path: "share/y", data: strings.Repeat("BZh91AY&SY", 100)}))},
		{"two streams", "more than one bzip2 stream", slices.Concat(stream, stream)},
		{"an empty stream behind", "more than one bzip2 stream", slices.Concat(stream, bz2(nil))},
		{"an empty stream before", "more than one bzip2 stream", slices.Concat(bz2(nil), stream)},
		{"halves", "more than one bzip2 stream", slices.Concat(bz2(tarball[:600]), bz2(tarball[600:]))},
		{"zeros behind", "cannot be decompressed", append(bytes.Clone(stream), 0, 0)},
		{"one byte behind", "cannot be decompressed", append(bytes.Clone(stream), 'B')},
		{"BZ behind", "cannot be decompressed", append(bytes.Clone(stream), "BZh9"...)},
		{"cut", "cannot be decompressed", stream[:len(stream)-1]},
		{"sum wrong", "cannot be decompressed", append(bytes.Clone(stream[:len(stream)-2]), stream[len(stream)-2]^1, stream[len(stream)-1])},
		{"gzip", "cannot be decompressed", []byte("\x1f\x8b\x08\x00\x00\x00")},
		{"empty", "is cut short", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, tt.data, stem+".tar.bz2", tt.why)
		})
	}
}
