package fault

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOneLine(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain, é and 日本", "plain, é and 日本"},
		{"two\nlines", "two<U+000A>lines"},
		{"\x1b[31mred", "<U+001B>[31mred"},
		{"a\u202eb\u200bc", "a<U+202E>b<U+200B>c"},
		{"bad\xff", `bad\xff`},
		{"nbsp\u00a0x", "nbsp<U+00A0>x"},
	} {
		if got := OneLine(tt.in, 100); got != tt.want {
			t.Errorf("OneLine(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\u202e\n\xff", 10)
	f.Fuzz(func(t *testing.T, s string, max int) {
		max = 8 + (max&0x7fffffff)%600
		got := OneLine(s, max)
		if len(got) > max || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x1b\u202e") {
			t.Errorf("OneLine(%q, %d) = %q", s, max, got)
		}
	})
}

func TestErrorChain(t *testing.T) {
	err := fmt.Errorf("while testing: %w", Wrap(io.ErrUnexpectedEOF, TooSlow, "the body stopped after %d bytes", 7))
	if CodeOf(err) != TooSlow || !Is(err, TooSlow) || Is(err, TooLarge) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("chain of %v is broken", err)
	}
	if CodeOf(io.EOF) != Internal {
		t.Error("an error that is no refusal must count as internal")
	}
	long := New(BadRequest, "%s", strings.Repeat("é", 600))
	if len(long.Detail) > MaxDetail || !utf8.ValidString(long.Detail) {
		t.Errorf("detail of %d bytes, valid %v", len(long.Detail), utf8.ValidString(long.Detail))
	}
}
