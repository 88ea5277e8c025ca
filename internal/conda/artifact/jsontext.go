package artifact

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads to the closing quote. With a buffer, it keeps the text, escapes undone.
func (s *scanner) text(keep *bytes.Buffer) error {
	for {
		c, err := s.next()
		if err == nil && c == '\\' {
			c, err = s.escape()
		} else if c == '"' {
			return err
		} else if err == nil && c < ' ' {
			err = s.bad("a string has no end or holds a control character")
		}
		if err != nil {
			return err
		}
		if keep == nil {
			continue
		}
		if keep.WriteRune(c); keep.Len() > maxKeys {
			return over("it has a longer key or path than the limit here")
		}
	}
}

// escape reads what follows a backslash. Half a surrogate pair has no meaning in UTF-8 and is refused.
func (s *scanner) escape() (rune, error) {
	c, err := s.next()
	if err != nil {
		return 0, err
	}
	switch c {
	case '"', '\\', '/':
		return c, nil
	case 'b', 'f', 'n', 'r', 't':
		return map[rune]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c], nil
	case 'u':
		return s.unicode()
	}
	return 0, s.bad("unknown escape in a string")
}

// unicode reads the four digits of a \u escape, and a second one where the first asks for it.
func (s *scanner) unicode() (rune, error) {
	c, err := s.hex()
	if err != nil || !utf16.IsSurrogate(c) {
		return c, err
	}
	if err := s.word(`\u`); err != nil {
		return 0, err
	}
	low, err := s.hex()
	if err != nil {
		return 0, err
	}
	if c = utf16.DecodeRune(c, low); c == utf8.RuneError {
		return 0, s.bad("half a surrogate pair in a string")
	}
	return c, nil
}

func (s *scanner) hex() (rune, error) {
	var digits [4]byte
	for i := range digits {
		c, err := s.next()
		if err != nil {
			return 0, err
		}
		if c < 0 || c > 'f' {
			c = 'x'
		}
		digits[i] = byte(c)
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		return 0, s.bad("a \\u escape without four digits")
	}
	return rune(n), nil
}
