package artifact_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
)

// each changes one part of a good file at a time and lays it out.
type change func(e *ending, parts *[]part)

// descriptor is a data descriptor of data in one of its four forms.
func descriptor(data []byte, sig, wide bool) []byte {
	le := binary.LittleEndian
	var b []byte
	if sig {
		b = append(b, "PK\x07\x08"...)
	}
	b = le.AppendUint32(b, crc32.ChecksumIEEE(data))
	for range 2 {
		if wide {
			b = le.AppendUint64(b, uint64(len(data)))
		} else {
			b = le.AppendUint32(b, uint32(len(data)))
		}
	}
	return b
}

// streamed makes p as a tool does that did not know the sizes: none in the local header, bit 3 set.
func streamed(p *part, tail []byte) {
	p.local = func(h []byte) { h[6] |= 8; clear(h[14:26]) }
	p.central = func(h []byte) { h[8] |= 8 }
	p.tail = tail
}

// zip64 makes p as rattler-build does: sizes in ZIP64 fields, in both headers.
func zip64(p *part) {
	n := uint64(len(p.data))
	p.extra = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64([]byte{1, 0, 16, 0}, n), n)
	p.cextra = p.extra
	p.local = func(h []byte) { copy(h[18:], bytes.Repeat([]byte{0xff}, 8)) }
	p.central = func(h []byte) { copy(h[20:], bytes.Repeat([]byte{0xff}, 8)) }
}

// end64 puts ZIP64 end records into e, for a directory of so many bytes at offset.
func end64(e *ending, entries, size, offset, at uint64) {
	le := binary.LittleEndian
	b := append([]byte("PK\x06\x06"), make([]byte, 52)...)
	le.PutUint64(b[4:], 44)
	le.PutUint64(b[24:], entries)
	le.PutUint64(b[32:], entries)
	le.PutUint64(b[40:], size)
	le.PutUint64(b[48:], offset)
	b = le.AppendUint64(append(b, "PK\x06\x07\x00\x00\x00\x00"...), at)
	e.before = append(b, 1, 0, 0, 0)
}

func TestZipGeometry(t *testing.T) {
	t.Parallel()
	meta, pkg, info := members()
	plain := zipOf(ending{}, meta, pkg, info)
	dirAt := uint64(binary.LittleEndian.Uint32(plain[len(plain)-6:]))
	dirSize := uint64(binary.LittleEndian.Uint32(plain[len(plain)-10:]))
	for _, tt := range []struct {
		name, why string
		change    change
	}{
		{"plain", "", func(e *ending, p *[]part) {}},
		{"any order", "", func(e *ending, p *[]part) { slices.Reverse(*p) }},
		{"ZIP64 fields", "", func(e *ending, p *[]part) { zip64(&(*p)[1]) }},
		{"ZIP64 ends", "", func(e *ending, p *[]part) { end64(e, 3, dirSize, dirAt, dirAt+dirSize) }},
		{"ZIP64 ends, referred to", "", func(e *ending, p *[]part) {
			end64(e, 3, dirSize, dirAt, dirAt+dirSize)
			e.fix = func(h []byte) { copy(h[8:], bytes.Repeat([]byte{0xff}, 12)) }
		}},
		{"descriptor 12", "", func(e *ending, p *[]part) { streamed(&(*p)[1], descriptor((*p)[1].data, false, false)) }},
		{"descriptor 16", "", func(e *ending, p *[]part) { streamed(&(*p)[1], descriptor((*p)[1].data, true, false)) }},
		{"descriptor 20", "", func(e *ending, p *[]part) { streamed(&(*p)[2], descriptor((*p)[2].data, false, true)) }},
		{"descriptor 24", "", func(e *ending, p *[]part) { streamed(&(*p)[0], descriptor((*p)[0].data, true, true)) }},
		{"UTF-8 flag and times", "", func(e *ending, p *[]part) {
			(*p)[0].local = func(h []byte) { h[7] |= 8 }
			(*p)[0].central = func(h []byte) { h[9] |= 8 }
			(*p)[1].extra = []byte("UT\x05\x00\x01abcd")
		}},

		{"ZIP64 ends that disagree", "end records disagree", func(e *ending, p *[]part) { end64(e, 4, dirSize, dirAt, dirAt+dirSize) }},
		{"ZIP64 ends elsewhere", "end records disagree", func(e *ending, p *[]part) { end64(e, 3, dirSize, dirAt, dirAt) }},
		{"ZIP64 directory elsewhere", "end records disagree", func(e *ending, p *[]part) { end64(e, 3, dirSize, 0, dirAt+dirSize) }},
		{"ZIP64 field missing", "ZIP64 extra field", func(e *ending, p *[]part) { zip64(&(*p)[1]); (*p)[1].cextra = nil }},
		{"ZIP64 field twice", "understand differently", func(e *ending, p *[]part) {
			zip64(&(*p)[1])
			(*p)[1].cextra = slices.Concat((*p)[1].extra, (*p)[1].extra)
		}},
		{"ZIP64 local size differs", "disagree", func(e *ending, p *[]part) {
			zip64(&(*p)[1])
			(*p)[1].extra = slices.Clone((*p)[1].extra)
			(*p)[1].extra[4]++
		}},
		{"second name", "understand differently", func(e *ending, p *[]part) { (*p)[1].extra = []byte("up\x06\x00\x01abcdx") }},
		{"extra field too long", "extra field is damaged", func(e *ending, p *[]part) { (*p)[1].extra = []byte("UT\xff\x00x") }},
		{"descriptor wrong", "data descriptor", func(e *ending, p *[]part) { streamed(&(*p)[1], descriptor([]byte("?"), true, false)) }},
		{"descriptor missing", "data descriptor", func(e *ending, p *[]part) { streamed(&(*p)[1], nil) }},
		{"descriptor and more", "data descriptor", func(e *ending, p *[]part) {
			streamed(&(*p)[1], append(descriptor((*p)[1].data, true, false), "junk"...))
		}},
		{"descriptor where none is due", "belong to no member", func(e *ending, p *[]part) { (*p)[1].tail = descriptor((*p)[1].data, true, false) }},
		{"bytes before the first member", "bytes before the ZIP's first member", func(e *ending, p *[]part) { e.front = []byte("#!/bin/sh\n") }},
		{"directory with more", "bytes after its last entry", func(e *ending, p *[]part) { e.before = []byte("1234"); e.fix = func(h []byte) { h[12] += 4 } }},
		{"directory too large", "the ZIP's central directory has", func(e *ending, p *[]part) { (*p)[0].cextra = append([]byte("UT\x20\x4e"), make([]byte, 20000)...) }},
		{"directory damaged", "central directory is damaged", func(e *ending, p *[]part) { (*p)[1].central = func(h []byte) { h[2] = 7 } }},
		{"bytes between", "belong to no member", func(e *ending, p *[]part) { (*p)[0].tail = []byte{0} }},
		{"bytes before the directory", "belong to no member", func(e *ending, p *[]part) { (*p)[2].tail = []byte("PK") }},
		{"bytes after the directory", "does not reach to the end record", func(e *ending, p *[]part) { e.before = []byte("x") }},
		{"bytes after the end", "bytes after its end", func(e *ending, p *[]part) { e.after = []byte("\n") }},
		{"comment", "bytes after its end", func(e *ending, p *[]part) { e.fix = func(h []byte) { h[20] = 1 }; e.after = []byte("x") }},
		{"comment announced", "without comment", func(e *ending, p *[]part) { e.fix = func(h []byte) { h[20] = 1 } }},
		{"several disks", "several disks", func(e *ending, p *[]part) { e.fix = func(h []byte) { h[4] = 1 } }},
		{"entries on this disk", "several disks", func(e *ending, p *[]part) { e.fix = func(h []byte) { h[8] = 2 } }},
		{"directory elsewhere", "does not reach to the end record", func(e *ending, p *[]part) { e.fix = func(h []byte) { h[16]++ } }},
		{"fewer entries told", "the ZIP holds 2 members", func(e *ending, p *[]part) { e.fix = func(h []byte) { h[8], h[10] = 2, 2 } }},
		{"overlap", "overlap", func(e *ending, p *[]part) { (*p)[1].central = func(h []byte) { clear(h[42:46]) } }},
		{"member cut", "belong to no member", func(e *ending, p *[]part) {
			(*p)[1].local = func(h []byte) { h[18]--; h[22]-- }
			(*p)[1].central = func(h []byte) { h[20]--; h[24]-- }
		}},
		{"member too long", "longer than the room", func(e *ending, p *[]part) {
			(*p)[1].local = func(h []byte) { h[18]++; h[22]++ }
			(*p)[1].central = func(h []byte) { h[20]++; h[24]++ }
		}},
		{"size beyond the file", "sizes that cannot be", func(e *ending, p *[]part) {
			(*p)[1].central = func(h []byte) { copy(h[20:], "\xfe\xff\xff\xff\xfe\xff\xff\xff") }
		}},

		{"local name differs", "disagree", func(e *ending, p *[]part) { (*p)[2].local = func(h []byte) { h[30] = 'I' } }},
		{"local size differs", "disagree", func(e *ending, p *[]part) { (*p)[2].local = func(h []byte) { h[18]++ } }},
		{"local method differs", "disagree", func(e *ending, p *[]part) { (*p)[2].local = func(h []byte) { h[8] = 8 } }},
		{"local flags differ", "disagree", func(e *ending, p *[]part) { (*p)[2].local = func(h []byte) { h[6] = 8 } }},
		{"local CRC differs", "disagree", func(e *ending, p *[]part) { (*p)[2].local = func(h []byte) { h[14]++ } }},
		{"no local header", "no local header", func(e *ending, p *[]part) { (*p)[2].local = func(h []byte) { h[0] = 'X' } }},
		{"deflated", "is compressed by the ZIP", func(e *ending, p *[]part) {
			(*p)[1].local = func(h []byte) { h[8] = 8 }
			(*p)[1].central = func(h []byte) { h[10] = 8 }
		}},
		{"encrypted", "is encrypted", func(e *ending, p *[]part) { (*p)[1].central = func(h []byte) { h[8] = 1 } }},
		{"strange flags", "ZIP flags", func(e *ending, p *[]part) { (*p)[1].central = func(h []byte) { h[9] = 0x20 } }},
		{"two sizes", "sizes that cannot be", func(e *ending, p *[]part) { (*p)[1].central = func(h []byte) { h[24]-- } }},
		{"entry comment", "damaged", func(e *ending, p *[]part) { (*p)[2].central = func(h []byte) { h[32] = 1 } }},
		{"entry on another disk", "another disk", func(e *ending, p *[]part) { (*p)[2].central = func(h []byte) { h[34] = 1 } }},
		{"CRC wrong in both", "CRC-32", func(e *ending, p *[]part) {
			(*p)[1].local = func(h []byte) { h[14]++ }
			(*p)[1].central = func(h []byte) { h[16]++ }
		}},
		{"metadata CRC wrong", "member \"metadata.json\" is damaged", func(e *ending, p *[]part) {
			(*p)[0].local = func(h []byte) { h[14]++ }
			(*p)[0].central = func(h []byte) { h[16]++ }
		}},

		{"fourth member", "the ZIP holds 4 members", func(e *ending, p *[]part) { *p = append(*p, part{name: "evil.tar.zst"}) }},
		{"member missing", "the ZIP holds 2 members", func(e *ending, p *[]part) { *p = (*p)[1:] }},
		{"no member", "the ZIP holds 0 members", func(e *ending, p *[]part) { *p = nil }},
		{"member twice", `holds "info-x-y-1.0-h0_0.tar.zst" twice`, func(e *ending, p *[]part) { (*p)[0] = (*p)[2] }},
		{"evil.tar.zst", `holds "evil.tar.zst"; a .conda file holds exactly`, func(e *ending, p *[]part) { (*p)[0].name = "evil.tar.zst" }},
		{"other stem", "upload it under the name it was built with", func(e *ending, p *[]part) { (*p)[1].name = "pkg-x-y-1.0-h0_1.tar.zst" }},
		{"path in a name", `holds "a/metadata.json"`, func(e *ending, p *[]part) { (*p)[0].name = "a/metadata.json" }},
		{"upper case", `holds "METADATA.JSON"`, func(e *ending, p *[]part) { (*p)[0].name = "METADATA.JSON" }},
		{"metadata of another format", "metadata.json: it must say", func(e *ending, p *[]part) { (*p)[0].data = []byte(`{"conda_pkg_format_version":3}`) }},
		{"metadata as text", "metadata.json: it must say", func(e *ending, p *[]part) { (*p)[0].data = []byte(`{"conda_pkg_format_version":"2"}`) }},
		{"metadata empty", "metadata.json: it is not a JSON object", func(e *ending, p *[]part) { (*p)[0].data = nil }},
		{"metadata huge", "metadata.json: it has 5000 bytes", func(e *ending, p *[]part) { (*p)[0].data = make([]byte, 5000) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var e ending
			meta, pkg, info := members()
			parts := []part{meta, pkg, info}
			tt.change(&e, &parts)
			check(t, zipOf(e, parts...), stem+".conda", tt.why)
		})
	}
}

func TestNoZip(t *testing.T) {
	t.Parallel()
	good := condaOf(nil, nil)
	check(t, nil, stem+".conda", "too short")
	check(t, good[:len(good)-1], stem+".conda", "is cut short")
	check(t, good[1:], stem+".conda", "does not reach")
	check(t, append([]byte{0}, good...), stem+".conda", "does not reach")
	check(t, bz2(tarOf(tarFile{path: "a"})), stem+".conda", "does not end as a ZIP")
	check(t, good, stem+".tar.bz2", "x-y-1.0-h0_0.tar.bz2: it cannot be decompressed")
}
