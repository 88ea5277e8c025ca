package artifact

import "io"

// number reads a number that begins with c.
func (s *scanner) number(c rune) (err error) {
	if c == '-' {
		if c, err = s.next(); err != nil {
			return err
		}
	}
	if c == '0' {
		if c, err = s.peek(); err != nil || isDigit(c) {
			return s.orBad(err)
		}
	} else if err := s.digits(c); err != nil {
		return err
	}
	if c, err = s.peek(); err == nil && c == '.' {
		err = s.fraction()
	}
	if err != nil {
		return err
	}
	if c, err = s.peek(); err == nil && (c == 'e' || c == 'E') {
		err = s.exponent()
	}
	return err
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

func (s *scanner) orBad(err error) error {
	if err == nil {
		err = s.bad("a value is missing or malformed")
	}
	return err
}

// digits reads one or more digits, the first of which is c.
func (s *scanner) digits(c rune) error {
	if !isDigit(c) {
		return s.orBad(nil)
	}
	for {
		c, err := s.peek()
		if err != nil || !isDigit(c) {
			return err
		}
		if _, err := s.next(); err != nil {
			return err
		}
	}
}

// fraction reads a point and the digits after it.
func (s *scanner) fraction() error {
	if _, err := s.next(); err != nil {
		return err
	}
	c, err := s.next()
	if err != nil {
		return err
	}
	return s.digits(c)
}

// exponent reads an e, perhaps a sign, and digits.
func (s *scanner) exponent() error {
	if _, err := s.next(); err != nil {
		return err
	}
	c, err := s.next()
	if err == nil && (c == '+' || c == '-') {
		c, err = s.next()
	}
	if err != nil {
		return err
	}
	return s.digits(c)
}

// peek returns the next character, which is ASCII wherever it matters, without reading it.
func (s *scanner) peek() (rune, error) {
	b, err := s.r.Peek(1)
	if len(b) == 1 {
		return rune(b[0]), nil
	}
	if err == io.EOF {
		return end, nil
	}
	return 0, err
}
