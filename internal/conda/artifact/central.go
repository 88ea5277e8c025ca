package artifact

import "strings"

// readCentral reads the entries of the central directory, in order.
func readCentral(s *source, dir directory) ([]member, error) {
	b, err := s.bytes(int64(dir.offset), int64(dir.size))
	if err != nil {
		return nil, err
	}
	var members []member
	for range dir.entries {
		m, n, err := parseCentral(b, s.size)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
		b = b[n:]
	}
	if len(b) != 0 {
		return nil, bad("the ZIP's central directory has bytes after its last entry")
	}
	return members, nil
}

// parseCentral reads the entry at the start of b and returns its length. The entry's numbers lie within
// the file's size.
func parseCentral(b []byte, fileSize int64) (m member, n int, err error) {
	if len(b) < centralLen || le.Uint32(b) != centralSig {
		return m, 0, bad("the ZIP's central directory is damaged")
	}
	nameLen, extraLen, commentLen := int(le.Uint16(b[28:])), int(le.Uint16(b[30:])), int(le.Uint16(b[32:]))
	n = centralLen + nameLen + extraLen + commentLen
	if len(b) < n {
		return m, 0, bad("the ZIP's central directory is damaged")
	}
	m = member{name: string(b[centralLen : centralLen+nameLen]), flags: le.Uint16(b[8:]), crc: le.Uint32(b[16:])}
	switch {
	case m.flags&1 != 0:
		return m, 0, bad("member %s is encrypted", quote(m.name))
	case m.flags&^flagsAllowed != 0:
		return m, 0, bad("member %s has ZIP flags (%#x) that no package tool sets", quote(m.name), m.flags)
	case le.Uint16(b[10:]) != 0:
		return m, 0, bad("member %s is compressed by the ZIP; the members of a .conda file are stored (method 0)", quote(m.name))
	case commentLen != 0 || le.Uint16(b[34:]) != 0:
		return m, 0, bad("member %s has a comment or lies on another disk", quote(m.name))
	}
	wide, err := zip64Fields(b[centralLen+nameLen:][:extraLen], le.Uint32(b[24:]), le.Uint32(b[20:]), le.Uint32(b[42:]))
	if err != nil {
		return m, 0, within("member "+quote(m.name), err)
	}
	size, packed, offset := wide[0], wide[1], wide[2]
	if size != packed || size > uint64(fileSize) || offset > uint64(fileSize) {
		return m, 0, bad("member %s has sizes that cannot be", quote(m.name))
	}
	m.size, m.header = int64(size), int64(offset)
	return m, n, nil
}

// zip64Fields widens 32-bit header fields: each that is all ones is replaced by the next 8 bytes of the
// ZIP64 extra field. It refuses extra fields that give a member a second name.
func zip64Fields(extra []byte, fields ...uint32) ([]uint64, error) {
	var wide []byte
	seen := false
	for len(extra) > 0 {
		if len(extra) < 4 || len(extra)-4 < int(le.Uint16(extra[2:])) {
			return nil, bad("its ZIP extra field is damaged")
		}
		id, body := le.Uint16(extra), extra[4:][:le.Uint16(extra[2:])]
		if id == unicodePathExtra || id == zip64Extra && seen {
			return nil, bad("it has a ZIP extra field that readers understand differently")
		}
		if id == zip64Extra {
			wide, seen = body, true
		}
		extra = extra[4+len(body):]
	}
	out := make([]uint64, len(fields))
	for i, f := range fields {
		out[i] = uint64(f)
		if f != max32 {
			continue
		}
		if len(wide) < 8 {
			return nil, bad("its ZIP64 extra field is missing or short")
		}
		out[i], wide = le.Uint64(wide), wide[8:]
	}
	return out, nil
}

// condaMembers are the three members of a .conda file; metadata is zero in one that lacks it.
type condaMembers struct{ metadata, pkg, info member }

// pickMembers finds the three members by the exact names that the stem of the file's name gives them.
func pickMembers(members []member, stem string) (condaMembers, error) {
	var c condaMembers
	want := map[string]*member{"metadata.json": &c.metadata, "pkg-" + stem + ".tar.zst": &c.pkg, "info-" + stem + ".tar.zst": &c.info}
	for _, m := range members {
		to, ok := want[m.name]
		switch {
		case !ok && (strings.HasPrefix(m.name, "pkg-") || strings.HasPrefix(m.name, "info-")) && strings.HasSuffix(m.name, ".tar.zst"):
			return c, bad("the file is named %s.conda but holds %s; upload it under the name it was built with", stem, quote(m.name))
		case !ok:
			return c, bad("the ZIP holds %s; %s", quote(m.name), threeMembers)
		case to.name != "":
			return c, bad("the ZIP holds %s twice", quote(m.name))
		}
		*to = m
	}
	if c.pkg.name == "" || c.info.name == "" { // only where metadata.json may be missing instead
		return c, bad("the ZIP lacks a member; %s", threeMembers)
	}
	return c, nil
}
