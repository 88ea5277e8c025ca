package artifact

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

const (
	maxDepth = 64
	// maxKeys bounds the bytes of all keys of the objects that are open, which must be remembered.
	maxKeys = 1 << 20
)

// checkJSON refuses everything in b that two JSON readers could understand differently: a byte order
// mark, invalid UTF-8, keys that come twice, more than one value, deep nesting. The value must be an
// object, or an object or list. After it, encoding/json decodes b without surprises.
func checkJSON(b []byte, list bool) error {
	s := &scanner{r: bufio.NewReader(bytes.NewReader(b))}
	return s.document(list)
}

// scanner reads JSON (RFC 8259) once, front to back, and keeps nothing but the keys of open objects.
type scanner struct {
	r    *bufio.Reader
	at   int64     // bytes read
	keys int       // bytes of the keys held
	top  string    // the key of the outermost object whose value is being read
	list *pathList // what is kept of the list of paths; nil keeps nothing
}

// end stands for the end of the text.
const end = rune(-1)

// document reads the one value there may be.
func (s *scanner) document(list bool) error {
	c, err := s.token()
	switch {
	case err != nil:
		return err
	case c == '\ufeff':
		return bad("it begins with a byte order mark; write it as UTF-8 without")
	case c != '{' && !(list && c == '['):
		return bad("it is not a JSON object")
	}
	if _, err := s.value(c, 0); err != nil {
		return err
	}
	if c, err = s.token(); err == nil && c != end {
		err = s.bad("there is more after the JSON value")
	}
	return err
}

// bad makes an error that says where.
func (s *scanner) bad(what string) error {
	return bad("it is not valid JSON: %s (near byte %d)", what, s.at)
}

// next reads one character.
func (s *scanner) next() (rune, error) {
	c, n, err := s.r.ReadRune()
	s.at += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		return end, nil
	case err != nil:
		return 0, err
	case c == utf8.RuneError && n == 1:
		return 0, s.bad("it is not UTF-8")
	}
	return c, nil
}

// token reads the first character of the next token.
func (s *scanner) token() (rune, error) {
	for {
		c, err := s.next()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
}

// value reads the value that begins with c and returns how many elements it has, if it is a list.
func (s *scanner) value(c rune, depth int) (int, error) {
	if depth == maxDepth {
		return 0, bad("it is nested more than %d deep", maxDepth)
	}
	switch c {
	case '{':
		err := s.object(depth + 1)
		if depth+1 == entryDepth && s.listed() {
			s.list.end()
		}
		return 0, err
	case '[':
		return s.array(depth + 1)
	case '"':
		return 0, s.text(nil)
	case 't':
		return 0, s.word("rue")
	case 'f':
		return 0, s.word("alse")
	case 'n':
		return 0, s.word("ull")
	case end:
		return 0, s.bad("it is cut short")
	}
	return 0, s.number(c)
}

// word reads the rest of a literal.
func (s *scanner) word(rest string) error {
	for _, want := range rest {
		if c, err := s.next(); err != nil {
			return err
		} else if c != want {
			return s.bad("unknown word")
		}
	}
	return nil
}

// array reads to the closing bracket and counts the elements.
func (s *scanner) array(depth int) (n int, err error) {
	c, err := s.token()
	if err != nil || c == ']' {
		return 0, err
	}
	for {
		if _, err := s.value(c, depth); err != nil {
			return 0, err
		}
		n++
		more, err := s.comma(']')
		if err != nil || !more {
			return n, err
		}
		if c, err = s.token(); err != nil {
			return 0, err
		}
	}
}

// comma reads what stands after an element: a comma, or the closing bracket.
func (s *scanner) comma(closing rune) (more bool, err error) {
	c, err := s.token()
	if err == nil && c != ',' && c != closing {
		err = s.bad("a comma or " + strconv.QuoteRune(closing) + " is missing")
	}
	return c == ',', err
}

// object reads to the closing brace.
func (s *scanner) object(depth int) error {
	seen := map[string]bool{}
	held := 0
	defer func() { s.keys -= held }()
	c, err := s.token()
	if err != nil || c == '}' {
		return err
	}
	for {
		key, err := s.key(c)
		if err != nil {
			return err
		}
		if seen[key] {
			return bad("it has the key %s twice", quote(key))
		}
		seen[key] = true
		held += len(key) + 16
		if s.keys += len(key) + 16; s.keys > maxKeys {
			return over("it has more keys than the limit here")
		}
		if c, err = s.token(); err != nil {
			return err
		}
		if err := s.member(key, c, depth); err != nil {
			return err
		}
		more, err := s.comma('}')
		if err != nil || !more {
			return err
		}
		if c, err = s.token(); err != nil {
			return err
		}
	}
}

// entryDepth is how deep the objects in a list of paths lie.
const entryDepth = 3

// listed reports whether what lies in the list of paths is being read.
func (s *scanner) listed() bool { return s.list != nil && s.top == "paths" }

// member reads the value of a key, which begins with c, in an object of that depth.
func (s *scanner) member(key string, c rune, depth int) error {
	if depth == 1 {
		s.top = key
	}
	if c == '"' && depth == entryDepth && s.listed() && s.list.wants(key) {
		var b bytes.Buffer
		err := s.text(&b)
		s.list.text(key, b.String())
		return err
	}
	n, err := s.value(c, depth)
	if depth == 1 && s.listed() {
		s.list.files = n
	}
	return err
}

// key reads a key, whose first character is c, and the colon after it.
func (s *scanner) key(c rune) (string, error) {
	if c != '"' {
		return "", s.bad("a key is missing")
	}
	var b bytes.Buffer
	if err := s.text(&b); err != nil {
		return "", err
	}
	if c, err := s.token(); err != nil || c != ':' {
		if err == nil {
			err = s.bad("a colon is missing")
		}
		return "", err
	}
	return b.String(), nil
}
