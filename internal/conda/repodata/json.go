package repodata

import (
	"strconv"
	"unicode/utf8"
)

// jsonForm writes values as compact JSON.
type jsonForm struct{ b []byte }

func (j *jsonForm) open()  { j.b = append(j.b, '{') }
func (j *jsonForm) close() { j.b = append(j.b, '}') }

func (j *jsonForm) key(s string) {
	if n := len(j.b); n > 0 && j.b[n-1] != '{' {
		j.b = append(j.b, ',')
	}
	j.b = append(appendJSON(j.b, s), ':')
}

func (j *jsonForm) text(s string)    { j.b = appendJSON(j.b, s) }
func (j *jsonForm) number(n int64)   { j.b = strconv.AppendInt(j.b, n, 10) }
func (j *jsonForm) digest(d []byte)  { j.b = appendHex(j.b, d) }
func (j *jsonForm) list(ss []string) { j.b = appendJSONList(j.b, ss) }

func appendJSONList(b []byte, ss []string) []byte {
	b = append(b, '[')
	for i, s := range ss {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, s)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

func appendHex(b, d []byte) []byte {
	b = append(b, '"')
	for _, c := range d {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return append(b, '"')
}

// appendJSON appends s as a JSON string. Only what JSON demands is escaped: encoding/json would turn
// the < and > of nearly every match specification into six characters each. What is not UTF-8 becomes
// U+FFFD, byte by byte.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0 // s[from:i] needs no change
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c < 0x20:
			b = appendEscape(append(b, s[from:i]...), c)
		case c < utf8.RuneSelf:
			i++
			continue
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n != 1 {
				i += n
				continue
			}
			b = utf8.AppendRune(append(b, s[from:i]...), utf8.RuneError)
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// appendEscape appends c, which may not stand in a JSON string as it is, in its shortest form.
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
