package artifact

import "encoding/binary"

// The records of a ZIP file (PKWARE APPNOTE 6.3), by signature and fixed length.
const (
	localSig, localLen     = 0x04034b50, 30
	centralSig, centralLen = 0x02014b50, 46
	endSig, endLen         = 0x06054b50, 22
	end64Sig, end64Len     = 0x06064b50, 56
	locatorSig, locatorLen = 0x07064b50, 20
	descriptorSig          = 0x08074b50

	zip64Extra       = 0x0001
	unicodePathExtra = 0x7075

	flagDescriptor = 1 << 3 // sizes stand behind the data
	flagUTF8       = 1 << 11
	flagsAllowed   = flagDescriptor | flagUTF8 | 1<<1 | 1<<2 // 1 and 2 mean nothing for stored data

	max16, max32 = 0xffff, 0xffffffff // "see the ZIP64 field"

	// maxCentral bounds the central directory: three entries with generous extra fields.
	maxCentral = 16 << 10
)

var le = binary.LittleEndian

const threeMembers = "a .conda file holds exactly metadata.json, pkg-NAME-VERSION-BUILD.tar.zst and info-NAME-VERSION-BUILD.tar.zst"

// member is one member of the ZIP file, as both of its headers say.
type member struct {
	name   string
	flags  uint16
	crc    uint32
	size   int64 // stored, so compressed and not
	header int64 // where the local header begins
	data   int64 // where the bytes begin
}

// directory is where the central directory lies and how many entries it has.
type directory struct {
	offset, size, entries uint64
}

// openZip returns the members of the file in order of their place, at least so many, having checked that they
// and the directory fill the file without a gap, so that every reader sees the same.
func openZip(s *source, least uint64) ([]member, error) {
	dir, err := findDirectory(s)
	if err != nil {
		return nil, err
	}
	if dir.entries < least || dir.entries > 3 {
		return nil, bad("the ZIP holds %d members; %s", dir.entries, threeMembers)
	}
	if dir.size > maxCentral {
		return nil, bad("the ZIP's central directory has %d bytes, for three members", dir.size)
	}
	members, err := readCentral(s, dir)
	if err != nil {
		return nil, err
	}
	return members, checkGeometry(s, members, int64(dir.offset))
}

// findDirectory reads the records at the end of the file, which must be its very end: a comment or
// bytes behind it would let a searching reader find another directory.
func findDirectory(s *source) (directory, error) {
	if s.size < endLen {
		return directory{}, bad("the file is too short to be a .conda file")
	}
	end, err := s.bytes(s.size-endLen, endLen)
	if err != nil {
		return directory{}, err
	}
	if le.Uint32(end) != endSig || le.Uint16(end[20:]) != 0 {
		return directory{}, bad("the file does not end as a ZIP without comment does: it is no .conda file, is cut short, or has bytes after its end")
	}
	dir := directory{entries: uint64(le.Uint16(end[10:])), size: uint64(le.Uint32(end[12:])), offset: uint64(le.Uint32(end[16:]))}
	if le.Uint16(end[4:]) != 0 || le.Uint16(end[6:]) != 0 || le.Uint16(end[8:]) != le.Uint16(end[10:]) {
		return directory{}, bad("the ZIP claims to span several disks")
	}
	dirEnd := s.size - endLen
	if dir, dirEnd, err = findZip64(s, dir, dirEnd); err != nil {
		return directory{}, err
	}
	if dir.offset > uint64(dirEnd) || dir.size != uint64(dirEnd)-dir.offset {
		return directory{}, bad("the ZIP's central directory does not reach to the end record: the file is damaged or has bytes added")
	}
	return dir, nil
}

// findZip64 reads the ZIP64 end records where there are any before end. Some readers look for them
// always and some only when the plain record says so; both must get the same numbers.
func findZip64(s *source, dir directory, end int64) (directory, int64, error) {
	start := end - locatorLen - end64Len
	if start < 0 {
		return dir, end, nil
	}
	b, err := s.bytes(start, end64Len+locatorLen)
	if err != nil {
		return dir, 0, err
	}
	rec, loc := b[:end64Len], b[end64Len:]
	if le.Uint32(loc) != locatorSig {
		return dir, end, nil
	}
	d64 := directory{entries: le.Uint64(rec[32:]), size: le.Uint64(rec[40:]), offset: le.Uint64(rec[48:])}
	ok := le.Uint32(rec) == end64Sig && le.Uint64(rec[4:]) == end64Len-12 &&
		le.Uint32(loc[4:]) == 0 && le.Uint64(loc[8:]) == uint64(start) && le.Uint32(loc[16:]) <= 1 &&
		le.Uint32(rec[16:]) == 0 && le.Uint32(rec[20:]) == 0 && le.Uint64(rec[24:]) == d64.entries &&
		agrees(dir.entries, d64.entries, max16) && agrees(dir.size, d64.size, max32) && agrees(dir.offset, d64.offset, max32)
	if !ok {
		return dir, 0, bad("the ZIP's two end records disagree")
	}
	return d64, start, nil
}

// agrees reports whether a field says the same as its 64-bit form, or refers to it.
func agrees(short, long, refer uint64) bool { return short == long || short == refer }
