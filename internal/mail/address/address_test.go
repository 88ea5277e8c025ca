package address

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a.", 93)
	for _, tt := range []struct{ in, wantErr string }{
		{"ann@example.com", ""},
		{"Ann.Lee+sluice@sub.Example.co.uk", ""},
		{"o'neil_42@x--1.example", ""},
		{"root@mailhost", ""},
		{"ann@xn--bcher-kva.example", ""},
		{strings.Repeat("a", 64) + "@" + long + "com", ""},
		{strings.Repeat("a", 64) + "@" + long + "comm", "at most 254 bytes"},
		{strings.Repeat("a", 65) + "@example.com", "64 of them before the @"},
		{"ann@bücher.example", "xn--"},
		{"änn@example.com", "ASCII letters"},
		{"änn@bücher.example", "ASCII letters"},
		{"", "bare mail address"},
		{"ann", "bare mail address"},
		{"@example.com", "bare mail address"},
		{"ann@", "bare mail address"},
		{"ann@@example.com", "bare mail address"},
		{"ann@eve@example.com", "bare mail address"},
		{"<ann@example.com>", "bare mail address"},
		{"Ann <ann@example.com>", "bare mail address"},
		{"ann@example.com (Ann)", "bare mail address"},
		{"ann@example.com, eve@example.com", "bare mail address"},
		{" ann@example.com", "bare mail address"},
		{"ann@example.com\r\nBcc: eve@example.com", "bare mail address"},
		{"ann\n@example.com", "bare mail address"},
		{"ann\x00@example.com", "bare mail address"},
		{"ann\x7f@example.com", "ASCII letters"},
		{`"ann lee"@example.com`, "bare mail address"},
		{`"ann\r"@example.com`, "bare mail address"},
		{"ann..lee@example.com", "bare mail address"},
		{".ann@example.com", "bare mail address"},
		{"ann@[127.0.0.1]", "bare mail address"},
		{"ann@-example.com", "bare mail address"},
		{"ann@example..com", "bare mail address"},
		{"ann@example.com.", "bare mail address"},
		{"ann@exam_ple.com", "bare mail address"},
	} {
		a, err := Parse(tt.in)
		switch {
		case tt.wantErr == "" && (err != nil || a.Reveal() != tt.in || a.IsZero()):
			t.Errorf("%q: %q, %v", tt.in, a.Reveal(), err)
		case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr) || !a.IsZero()):
			t.Errorf("%q: %q, %v; want %q", tt.in, a.Reveal(), err, tt.wantErr)
		}
	}
}

func TestAddressIsNeverShown(t *testing.T) {
	t.Parallel()
	a, err := Parse("ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "to", a)
	j, err := json.Marshal(struct{ To Address }{a})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(a), fmt.Sprintf("%+v %#v", struct{ To Address }{a}, a), log.String(), string(j)} {
		if strings.Contains(s, "ann") || !strings.Contains(s, "(address)") {
			t.Errorf("shown as %s", s)
		}
	}
	if (Address{}).String() != "" {
		t.Error("no address prints as one")
	}
}

// What is taken is one address to the standard library, too, and cannot leave its line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"ann@example.com", "a@b\r\nc", "<a@b>", `"a"@b`, "a@[::1]", "ä@b", "a@xn--b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		parsed, err := mail.ParseAddress("<" + s + ">")
		if a.Reveal() != s || err != nil || parsed.Address != s || len(s) > Max || strings.ContainsAny(s, "\r\n\x00 <>,;:\"()[]\\") {
			t.Errorf("%q was taken", s)
		}
	})
}
