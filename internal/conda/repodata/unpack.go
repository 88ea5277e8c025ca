package repodata

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"iter"
	"math"
	"strconv"
)

// unpacker reads msgpack, as far as index files use it, front to back. The first error stays, and from then on
// all that is read is zero. Nothing is allocated because a header says so.
type unpacker struct {
	b   []byte
	at  int
	err error
	// foreign says that json takes what others write: nil, booleans and floats, too.
	foreign bool
}

// maxDepth bounds how deep maps and lists may lie in one another; those of records lie three deep.
const maxDepth = 16

var (
	errShort = errors.New("it is cut short")
	errType  = errors.New("a value is not of the type that an index file has there")
	errDepth = errors.New("it is nested too deep")
)

func (u *unpacker) fail(err error) {
	if u.err == nil {
		u.err = err
		u.at = len(u.b)
	}
}

// take reads n bytes.
func (u *unpacker) take(n uint64) []byte {
	if n > uint64(len(u.b)-u.at) {
		u.fail(errShort)
		return nil
	}
	b := u.b[u.at : u.at+int(n)]
	u.at += int(n)
	return b
}

// first reads the byte that begins a value.
func (u *unpacker) first() byte {
	if b := u.take(1); len(b) == 1 {
		return b[0]
	}
	return nilByte
}

// nilByte is msgpack's nil, which no index file of ours has.
const nilByte = 0xC0

// uint reads a number of size bytes.
func (u *unpacker) uint(size int) uint64 {
	var wide [8]byte
	copy(wide[8-size:], u.take(uint64(size)))
	return binary.BigEndian.Uint64(wide[:])
}

// count reads the header of a map or an array that begins with c: fix is that of up to 15, wide that of up to
// 65535, and wide+1 that of more, as in appendCount.
func (u *unpacker) count(c, fix, wide byte) uint64 {
	switch {
	case c&0xF0 == fix:
		return uint64(c & 0x0F)
	case c == wide:
		return u.uint(2)
	case c == wide+1:
		return u.uint(4)
	}
	u.fail(errType)
	return 0
}

func (u *unpacker) mapLen() uint64   { return u.count(u.first(), 0x80, 0xDE) }
func (u *unpacker) arrayLen() uint64 { return u.count(u.first(), 0x90, 0xDC) }

// keys counts the keys of a map that is read; what follows must be read in the loop.
func (u *unpacker) keys() iter.Seq[uint64] { return u.times(u.mapLen()) }

// times counts to n, unless something goes wrong.
func (u *unpacker) times(n uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i := range n {
			if u.err != nil || !yield(i) {
				return
			}
		}
	}
}

// str reads a str.
func (u *unpacker) str() string { return string(u.text(u.first())) }

// text reads the bytes of a str that begins with c.
func (u *unpacker) text(c byte) []byte {
	switch {
	case c&0xE0 == 0xA0:
		return u.take(uint64(c & 0x1F))
	case 0xD9 <= c && c <= 0xDB:
		return u.take(u.uint(1 << (c - 0xD9)))
	}
	u.fail(errType)
	return nil
}

// bin reads the bytes of a bin that begins with c.
func (u *unpacker) bin(c byte) []byte {
	if c < 0xC4 || c > 0xC6 {
		u.fail(errType)
		return nil
	}
	return u.take(u.uint(1 << (c - 0xC4)))
}

// number reads a whole number that begins with c and appends it in decimal digits.
func (u *unpacker) number(b []byte, c byte) []byte {
	switch {
	case c < 0x80:
		return strconv.AppendUint(b, uint64(c), 10)
	case c >= 0xE0:
		return strconv.AppendInt(b, int64(int8(c)), 10)
	case 0xCC <= c && c <= 0xCF:
		return strconv.AppendUint(b, u.uint(1<<(c-0xCC)), 10)
	case 0xD0 <= c && c <= 0xD3:
		size := 1 << (c - 0xD0)
		n := int64(u.uint(size)<<(64-8*size)) >> (64 - 8*size) // with the sign of its own size
		return strconv.AppendInt(b, n, 10)
	}
	u.fail(errType)
	return b
}

// json reads any value and appends it as JSON, bytes in hexadecimal.
func (u *unpacker) json(b []byte, depth int) []byte {
	if depth > maxDepth {
		u.fail(errDepth)
	}
	if u.err != nil {
		return b
	}
	switch c := u.first(); {
	case c&0xF0 == 0x80 || c == 0xDE || c == 0xDF:
		return u.mapJSON(b, u.count(c, 0x80, 0xDE), depth)
	case c&0xF0 == 0x90 || c == 0xDC || c == 0xDD:
		return u.arrayJSON(b, u.count(c, 0x90, 0xDC), depth)
	case c&0xE0 == 0xA0 || 0xD9 <= c && c <= 0xDB:
		return appendJSON(b, string(u.text(c)))
	case 0xC4 <= c && c <= 0xC6:
		b = hex.AppendEncode(append(b, '"'), u.bin(c))
		return append(b, '"')
	case u.foreign && c >= nilByte && c <= 0xCB:
		return u.foreignJSON(b, c)
	default:
		return u.number(b, c)
	}
}

// foreignJSON reads what begins with c, and is in no index file of ours. A float that JSON has no digits for is as good as none.
func (u *unpacker) foreignJSON(b []byte, c byte) []byte {
	var f float64
	switch c {
	case nilByte:
		return append(b, "null"...)
	case 0xC2, 0xC3:
		return strconv.AppendBool(b, c == 0xC3)
	case 0xCA:
		f = float64(math.Float32frombits(uint32(u.uint(4))))
	case 0xCB:
		f = math.Float64frombits(u.uint(8))
	default:
		u.fail(errType)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

func (u *unpacker) mapJSON(b []byte, n uint64, depth int) []byte {
	b = append(b, '{')
	for i := range u.times(n) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, u.str()), ':')
		b = u.json(b, depth+1)
	}
	return append(b, '}')
}

func (u *unpacker) arrayJSON(b []byte, n uint64, depth int) []byte {
	b = append(b, '[')
	for i := range u.times(n) {
		if i > 0 {
			b = append(b, ',')
		}
		b = u.json(b, depth+1)
	}
	return append(b, ']')
}

// end makes sure that nothing is left, and returns the first error.
func (u *unpacker) end() error {
	if u.err == nil && u.at < len(u.b) {
		return errors.New("there is more after its end")
	}
	return u.err
}
