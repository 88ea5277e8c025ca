package repodata

import (
	"encoding/binary"
	"slices"
	"strings"
)

// packForm writes values as msgpack, each in its shortest form. It knows no nil: libmamba throws on it.
type packForm struct {
	b    []byte
	maps []openMap // those not yet closed, the innermost last
}

// openMap is a map whose number of entries is not yet known.
type openMap struct{ at, n int }

func (p *packForm) open() { p.maps = append(p.maps, openMap{at: len(p.b)}) }

func (p *packForm) key(s string) {
	p.maps[len(p.maps)-1].n++
	p.text(s)
}

// close puts the map's header before its entries.
func (p *packForm) close() {
	last := len(p.maps) - 1
	m := p.maps[last]
	p.maps = p.maps[:last]
	var head [5]byte
	p.b = slices.Insert(p.b, m.at, appendMap(head[:0], m.n)...)
}

func (p *packForm) text(s string)   { p.b = appendStr(p.b, s) }
func (p *packForm) number(n int64)  { p.b = appendInt(p.b, n) }
func (p *packForm) digest(d []byte) { p.b = appendBin(p.b, d) }

func (p *packForm) list(ss []string) {
	p.b = appendArray(p.b, len(ss))
	for _, s := range ss {
		p.text(s)
	}
}

// appendStr appends s as a str; what is not UTF-8 becomes U+FFFD, a byte each, as in JSON.
func appendStr(b []byte, s string) []byte {
	s = validUTF8(s)
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xA0|byte(n))
	case n <= 0xFF:
		b = append(b, 0xD9, byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, 0xDA), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xDB), uint32(n))
	}
	return append(b, s...)
}

// validUTF8 replaces every byte of s that is not UTF-8. (strings.ToValidUTF8 replaces runs of them.)
func validUTF8(s string) string { return strings.Map(func(r rune) rune { return r }, s) }

// appendBin appends d, at most 255 bytes, as a bin: the only form of a hash that every client takes.
func appendBin(b, d []byte) []byte {
	return append(append(b, 0xC4, byte(len(d))), d...)
}

func appendArray(b []byte, n int) []byte { return appendCount(b, n, 0x90, 0xDC) }
func appendMap(b []byte, n int) []byte   { return appendCount(b, n, 0x80, 0xDE) }

// appendCount begins an array or a map of n: fix is the header of up to 15, wide that of up to 65535,
// and wide+1 that of more.
func appendCount(b []byte, n int, fix, wide byte) []byte {
	switch {
	case n < 16:
		return append(b, fix|byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, wide+1), uint32(n))
}

// appendInt appends n in its shortest form: unsigned ones for what is not negative.
func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendNegative(b, n)
	}
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n <= 0xFF:
		return append(b, 0xCC, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, 0xCD), uint16(n))
	case n <= 0xFFFF_FFFF:
		return binary.BigEndian.AppendUint32(append(b, 0xCE), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xCF), uint64(n))
}

func appendNegative(b []byte, n int64) []byte {
	switch {
	case n >= -0x20:
		return append(b, byte(n))
	case n >= -0x80:
		return append(b, 0xD0, byte(n))
	case n >= -0x8000:
		return binary.BigEndian.AppendUint16(append(b, 0xD1), uint16(n))
	case n >= -0x8000_0000:
		return binary.BigEndian.AppendUint32(append(b, 0xD2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xD3), uint64(n))
}
