package artifact

import (
	"cmp"
	"slices"
)

// checkGeometry sorts the members by their place and walks the file from its first byte to the central
// directory, which begins at end: local headers that repeat what the directory says, data, descriptors
// where announced, and nothing else. It fills in where the members' data begins.
func checkGeometry(s *source, members []member, end int64) error {
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.header, b.header) })
	if members[0].header != 0 {
		return bad("the file has bytes before the ZIP's first member")
	}
	for i := range members {
		m := &members[i]
		next := end
		if i+1 < len(members) {
			next = members[i+1].header
		}
		if err := readLocal(s, m, next); err != nil {
			return within("member "+quote(m.name), err)
		}
	}
	return nil
}

// readLocal reads the member's local header and checks that the member ends where the next part begins.
func readLocal(s *source, m *member, next int64) error {
	h, name, extra, err := localHeader(s, m, next)
	if err != nil {
		return err
	}
	wide, err := zip64Fields(extra, le.Uint32(h[22:]), le.Uint32(h[18:]))
	if err != nil {
		return err
	}
	crc, size, packed := le.Uint32(h[14:]), wide[0], wide[1]
	same := crc == m.crc && size == uint64(m.size) && packed == uint64(m.size)
	if m.flags&flagDescriptor != 0 { // the header may leave to the descriptor what it did not know yet
		same = (crc == m.crc || crc == 0) && (size == uint64(m.size) || size == 0) && (packed == uint64(m.size) || packed == 0)
	}
	if !same || name != m.name || le.Uint16(h[6:]) != m.flags || le.Uint16(h[8:]) != 0 {
		return bad("its local header and the ZIP's central directory disagree")
	}
	m.data = m.header + localLen + int64(len(name)) + int64(len(extra))
	if m.size > next-m.data {
		return bad("it is longer than the room it has in the ZIP")
	}
	return checkTail(s, m, next)
}

// localHeader reads the member's local header with its two variable fields.
func localHeader(s *source, m *member, next int64) (h []byte, name string, extra []byte, err error) {
	if next-m.header < localLen {
		return nil, "", nil, bad("it overlaps what comes after it in the ZIP")
	}
	if h, err = s.bytes(m.header, localLen); err != nil {
		return nil, "", nil, err
	}
	nameLen, extraLen := int64(le.Uint16(h[26:])), int64(le.Uint16(h[28:]))
	if le.Uint32(h) != localSig || next-m.header < localLen+nameLen+extraLen {
		return nil, "", nil, bad("it has no local header where the ZIP's central directory says")
	}
	rest, err := s.bytes(m.header+localLen, nameLen+extraLen)
	if err != nil {
		return nil, "", nil, err
	}
	return h, string(rest[:nameLen]), rest[nameLen:], nil
}

// checkTail checks that nothing, or exactly a data descriptor, stands between the data and next.
func checkTail(s *source, m *member, next int64) error {
	gap := next - m.data - m.size
	if m.flags&flagDescriptor == 0 {
		if gap != 0 {
			return bad("the ZIP has bytes that belong to no member after it")
		}
		return nil
	}
	if gap < 12 || gap > 24 {
		return bad("its ZIP data descriptor is missing or has bytes around it")
	}
	got, err := s.bytes(next-gap, gap)
	if err != nil {
		return err
	}
	for _, want := range descriptors(m) {
		if slices.Equal(got, want) {
			return nil
		}
	}
	return bad("its ZIP data descriptor and central directory disagree")
}

// descriptors are the four forms a data descriptor may have: with or without signature, narrow or wide.
func descriptors(m *member) [][]byte {
	sig := le.AppendUint32(nil, descriptorSig)
	crc := le.AppendUint32(nil, m.crc)
	wide := le.AppendUint64(le.AppendUint64(nil, uint64(m.size)), uint64(m.size))
	forms := [][]byte{slices.Concat(crc, wide), slices.Concat(sig, crc, wide)}
	if m.size < max32 {
		narrow := le.AppendUint32(le.AppendUint32(nil, uint32(m.size)), uint32(m.size))
		forms = append(forms, slices.Concat(crc, narrow), slices.Concat(sig, crc, narrow))
	}
	return forms
}
