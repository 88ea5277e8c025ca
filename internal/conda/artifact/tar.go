package artifact

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

const tarBlock = 512

// The kinds of tar entries that packages have.
const (
	kindFile    = '0'
	kindLink    = '1' // hard link
	kindSymlink = '2'
	kindDir     = '5'
)

// entry is one entry of a tar file.
type entry struct {
	path string // as it is in the archive; without zero bytes
	kind byte
	size int64 // 0 unless it is a file
}

// tarReader reads a tar file (POSIX ustar and pax, GNU) header by header. Clients unpack with other
// readers than Go's, and they disagree about what is rare: which of two long names counts, whose size,
// whether a directory can have bytes, sparse files. All that is refused here, so that what is left means
// the same to all of them.
type tarReader struct {
	r    io.Reader
	left int64 // bytes of the current entry that were not read
	pad  int64 // zeros after them
	hdr  [tarBlock]byte
}

// next moves to the next entry. io.EOF means that the archive ended and only zeros followed.
func (t *tarReader) next() (entry, error) {
	var long string // a path from an extended header
	var linked bool // a link's target from one
	for {
		ok, err := t.block()
		if err == nil && !ok && (long != "" || linked) {
			err = bad("the tar ends after an extended header")
		}
		if err != nil || !ok {
			return entry{}, cmpEOF(err)
		}
		size, err := t.check()
		if err != nil {
			return entry{}, err
		}
		t.left, t.pad = size, -size&(tarBlock-1)
		kind := t.hdr[156]
		if kind != 'x' && kind != 'L' && kind != 'K' {
			return t.entry(kind, long)
		}
		ext, err := t.extended(kind)
		if err != nil {
			return entry{}, err
		}
		if ext.path != "" && long != "" || ext.linked && linked {
			return entry{}, bad("the tar names an entry twice, in two extended headers")
		}
		long, linked = long+ext.path, linked || ext.linked
	}
}

// cmpEOF returns err, or io.EOF when there is none.
func cmpEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// Read reads the current entry's bytes.
func (t *tarReader) Read(p []byte) (int, error) {
	if t.left == 0 {
		return 0, io.EOF
	}
	n, err := t.r.Read(p[:min(int64(len(p)), t.left)])
	t.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if err = nil; t.left > 0 {
			err = errCut()
		}
	}
	return n, err
}

func errCut() error { return bad("the tar is cut short") }

// block skips what is left of the entry and reads the next header. false: the archive is at its end.
func (t *tarReader) block() (bool, error) {
	rest := t.left + t.pad
	t.left, t.pad = 0, 0
	if n, err := io.CopyN(io.Discard, t.r, rest); err != nil {
		if errors.Is(err, io.EOF) && n < rest {
			err = errCut()
		}
		return false, err
	}
	switch _, err := io.ReadFull(t.r, t.hdr[:]); {
	case err == io.EOF:
		return false, nil
	case err == io.ErrUnexpectedEOF:
		return false, errCut()
	case err != nil:
		return false, err
	case t.hdr != [tarBlock]byte{}:
		return true, nil
	}
	return false, t.zeros()
}

// zeros reads to the end. Readers stop at the first or at the second block of zeros: there may be nothing
// behind it but whole blocks of zeros.
func (t *tarReader) zeros() error {
	buf := make([]byte, 8<<10)
	for total := 0; ; {
		n, err := t.r.Read(buf)
		total += n
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return bad("the tar has data after its end")
		}
		switch {
		case err == io.EOF && total%tarBlock != 0:
			return errCut()
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// check checks the header's sum and dialect and returns the entry's size.
func (t *tarReader) check() (int64, error) {
	sum := uint64(0)
	for i, c := range t.hdr {
		if i >= 148 && i < 156 { // the sum is made with its own field blank
			c = ' '
		}
		sum += uint64(c)
	}
	if want, ok := tarNumber(t.hdr[148:156]); !ok || want != sum {
		return 0, bad("the tar has a damaged header (its sum is wrong)")
	}
	dialect := string(t.hdr[257:265])
	star := string(t.hdr[508:512]) == "tar\x00"
	if star || dialect != "ustar\x0000" && dialect != "ustar  \x00" && dialect != strings.Repeat("\x00", 8) {
		return 0, bad("the tar is of a dialect that clients read differently; write it as ustar, pax or GNU tar")
	}
	for _, f := range [][2]int{{100, 108}, {108, 116}, {116, 124}, {136, 148}, {329, 337}, {337, 345}} {
		if _, ok := tarNumber(t.hdr[f[0]:f[1]]); !ok { // mode, owner, group, time, device: not used, but read by clients
			return 0, bad("the tar has a header with a damaged number at byte %d", f[0])
		}
	}
	size, ok := tarNumber(t.hdr[124:136])
	if !ok || size > 1<<62 {
		return 0, bad("the tar has an entry whose size (%s) cannot be", quote(string(t.hdr[124:136])))
	}
	return int64(size), nil
}

// tarNumber reads a number: octal digits with blanks around them, or binary when the first bit is set.
func tarNumber(b []byte) (n uint64, ok bool) {
	if b[0]&0x80 != 0 {
		if b[0] != 0x80 { // negative, or beyond any use
			return 0, false
		}
		for _, c := range b[1:] {
			if n>>55 != 0 {
				return 0, false
			}
			n = n<<8 | uint64(c)
		}
		return n, true
	}
	for _, c := range bytes.Trim(b, " \x00") {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | uint64(c-'0')
	}
	return n, true
}

// entry makes the entry of the current header, whose path may come from an extended one.
func (t *tarReader) entry(kind byte, long string) (entry, error) {
	e := entry{path: long, kind: kind, size: t.left}
	if e.path == "" {
		e.path = t.path()
	}
	if kind == 0 {
		e.kind = kindFile
	}
	switch e.kind {
	case kindFile:
		if strings.HasSuffix(e.path, "/") {
			return e, bad("the tar has the file %s, whose name ends as a folder's", quote(e.path))
		}
	case kindDir, kindLink, kindSymlink:
		if e.size != 0 {
			return e, bad("the tar has a folder or link with data: %s", quote(e.path))
		}
	case 'g':
		return e, bad("the tar has a global header, which clients read differently; write it without (git archive makes such ones)")
	default:
		return e, bad("the tar has an entry of type %q, %s; packages hold files, folders and links", kind, quote(e.path))
	}
	return e, nil
}

// path is the path in the current header: 100 bytes, in ustar with up to 155 more in front.
func (t *tarReader) path() string {
	name := cString(t.hdr[:100])
	if prefix := cString(t.hdr[345:500]); prefix != "" && string(t.hdr[257:265]) == "ustar\x0000" {
		return prefix + "/" + name
	}
	return name
}

// cString is b up to its first NUL.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
