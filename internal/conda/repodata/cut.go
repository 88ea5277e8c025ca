package repodata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// Form says how the members of a piece are written.
type Form int

// The forms.
const (
	// Keyed members are `"KEY":{…}`, joined by ",": what Member, MemberV3 and RunExportsMember make.
	Keyed Form = iota
	// Named members are `"NAME"`, joined by ",": what RemovedMember makes.
	Named
	// Hashed members are what ShardIndexMember makes, one after another.
	Hashed
)

// A CutMember is one member of a piece, with its key as the member has it.
type CutMember struct {
	Key    string
	Member []byte
}

var errCut = errors.New("these bytes are no members of an index file")

// Cut takes the content of a piece apart into its members, in order. It expects what this package made, and finds the
// ends of members without understanding them. The members are parts of raw.
func Cut(raw []byte, f Form) (members []CutMember, err error) {
	for len(raw) > 0 {
		key, n := memberEnd(raw, f)
		if n <= 0 || n > len(raw) {
			return nil, errCut
		}
		members = append(members, CutMember{key, raw[:n:n]})
		raw = raw[n:]
		if f == Hashed || len(raw) == 0 {
			continue
		}
		if raw[0] != ',' || len(raw) == 1 {
			return nil, errCut
		}
		raw = raw[1:]
	}
	return members, nil
}

// memberEnd returns the key of the member that raw begins with, and its length; 0 when there is none.
func memberEnd(raw []byte, f Form) (key string, n int) {
	if f == Hashed {
		return hashedEnd(raw)
	}
	end := stringEnd(raw)
	if end == 0 {
		return "", 0
	}
	key = string(raw[1 : end-1])
	if strings.Contains(key, `\`) {
		return "", 0 // no key of ours needs that
	}
	if f == Named {
		return key, end
	}
	if end >= len(raw) || raw[end] != ':' {
		return "", 0
	}
	value := objectEnd(raw[end+1:])
	if value == 0 {
		return "", 0
	}
	return key, end + 1 + value
}

// stringEnd is the length of the JSON string that b begins with; 0 when there is none.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for at := 1; ; {
		i := bytes.IndexByte(b[at:], '"')
		if i < 0 {
			return 0
		}
		at += i + 1
		escapes := 0
		for b[at-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}

// objectEnd is the length of the JSON object that b begins with; 0 when there is none.
func objectEnd(b []byte) int {
	if len(b) == 0 || b[0] != '{' {
		return 0
	}
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n == 0 {
				return 0
			}
			i += n
			continue
		case '{':
			depth++
		case '}':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return 0
}

// hashedEnd reads a str and a bin of 32 bytes.
func hashedEnd(b []byte) (name string, n int) {
	const hash = 2 + 32 // the bin's header and its bytes
	var head, size int
	switch {
	case len(b) < 1:
		return "", 0
	case b[0]&0xE0 == 0xA0:
		head, size = 1, int(b[0]&0x1F)
	case b[0] == 0xD9 && len(b) > 1:
		head, size = 2, int(b[1])
	case b[0] == 0xDA && len(b) > 2:
		head, size = 3, int(binary.BigEndian.Uint16(b[1:]))
	default:
		return "", 0
	}
	end := head + size
	if len(b) < end+hash || b[end] != 0xC4 || b[end+1] != 32 {
		return "", 0
	}
	return string(b[head:end]), end + hash
}
