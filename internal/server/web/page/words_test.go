package page

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ at, want string }{
		{"2026-11-23T14:06:00Z", "just now"},
		{"2026-11-23T14:06:40Z", "just now"},
		{"2026-11-23T14:08:00Z", "23 Nov 2026, 14:08:00"},
		{"2026-11-23T14:05:09Z", "1 minute ago"},
		{"2026-11-23T14:02:09Z", "4 minutes ago"},
		{"2026-11-23T13:06:10Z", "59 minutes ago"},
		{"2026-11-23T13:06:09Z", "1 hour ago"},
		{"2026-11-23T12:02:41Z", "2 hours ago"},
		{"2026-11-22T20:00:00Z", "18 hours ago"},
		{"2026-11-22T14:06:09Z", "yesterday, 14:06"},
		{"2026-11-22T00:30:00+02:00", "21 Nov"},
		{"2026-11-19T16:44:09Z", "19 Nov"},
		{"2025-11-19T16:44:09Z", "19 Nov 2025"},
	} {
		t.Run(tt.at, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := ago(at, now); got != tt.want {
				t.Errorf("= %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBrief(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]time.Time{
		"13:40":              time.Date(2026, 11, 23, 13, 40, 0, 0, time.UTC),
		"19 Nov, 08:51":      time.Date(2026, 11, 19, 8, 51, 0, 0, time.UTC),
		"23 Nov 2025, 13:40": time.Date(2025, 11, 23, 13, 40, 0, 0, time.UTC),
	} {
		if got := brief(at, now); got != want {
			t.Errorf("brief(%s) = %q, want %q", at, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 1_912_345: "1.9 MB", 999_949: "999.9 kB",
		999_950: "1.0 MB", 1_934_000_000: "1.9 GB", 1 << 62: "4611.7 PB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 9862: "9,862", 123456: "123,456", 1234567: "1,234,567", -1000: "-1,000", -999: "-999"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	if got := count(1, "file") + ", " + count(2, "file") + ", " + count(0, "file"); got != "1 file, 2 files, 0 files" {
		t.Errorf("counts = %q", got)
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ n, total, want int }{
		{0, 0, 0}, {0, 10, 0}, {10, 10, 100}, {184, 190, 97}, {1, 100_000, 1}, {99_999, 100_000, 99},
	} {
		if got := percent(tt.n, tt.total); got != tt.want {
			t.Errorf("percent(%d, %d) = %d, want %d", tt.n, tt.total, got, tt.want)
		}
	}
}

// A bar is whole, and whatever is not empty is seen.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		artifacts, byCI, attested, imported int
		want                                string
	}{
		{190, 184, 171, 2, "attested 0+89 ci 89+7 token 96+2 imported 98+2"},
		{10, 10, 0, 0, "ci 0+100 token 100+0"},
		{10, 0, 0, 0, "ci 0+0 token 0+100"},
		{100_000, 1, 1, 99_998, "attested 0+2 ci 2+0 token 2+2 imported 4+96"},
		{3, 1, 0, 1, "ci 0+34 token 34+33 imported 67+33"},
		{0, 0, 0, 0, "ci 0+0 token 0+0"},
	} {
		var got []string
		for _, p := range parts(ChannelView{Artifacts: tt.artifacts, ByCI: tt.byCI, Attested: tt.attested, Imported: tt.imported}.ways()) {
			got = append(got, fmt.Sprintf("%s %d+%d", p.mark, p.x, p.width))
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

func TestOutside(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://github.com/acme/forge": "https://github.com/acme/forge",
		"http://example.org/?a=b#c":     "http://example.org/?a=b#c",
		"https://example.org/é":         "https://example.org/%C3%A9",
		"HTTPS://example.org":           "https://example.org",
		"javascript:alert(1)":           "",
		"data:text/html,x":              "",
		"//example.org/x":               "",
		"/channels/forge":               "",
		"https://user@example.org":      "",
		"https://exаmple.org":           "", // the a is Cyrillic
		"https://example.org/\u202egpj": "https://example.org/%E2%80%AEgpj",
		"https://example.org/\x1b":      "",
		"https:example.org":             "",
		"":                              "",
	} {
		if got := outside(in); got != want {
			t.Errorf("outside(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ripgrep": "ripgrep", "ripgrep==15.1.0": "ripgrep==15.1.0", "x==1!2": "'x==1!2'", "a b": "'a b'", "it's": `'it'\''s'`,
		"": "''", "$(x)": "'$(x)'", "https://a.b:80/c": "https://a.b:80/c", "a\nb": "'a<U+000A>b'",
	} {
		if got := shell(in); got != want {
			t.Errorf("shell(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCutSpec(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"libgcc >=14":             {"libgcc", ">=14"},
		"python":                  {"python", ""},
		"numpy>=2,<3":             {"numpy", ">=2,<3"},
		"python 3.11.* *_cpython": {"python", "3.11.* *_cpython"},
		"a[when='x']":             {"a", "[when='x']"},
	} {
		if name, rest := cutSpec(in); name != want[0] || rest != want[1] {
			t.Errorf("cutSpec(%q) = %q, %q; want %q", in, name, rest, want)
		}
	}
}

func TestRefWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"refs/heads/main": "main", "refs/tags/v1.2": "tag v1.2", "refs/pull/4/merge": "refs/pull/4/merge", "refs/heads/a\u202eb": "a<U+202E>b",
	} {
		if got := refWords(in); got != want {
			t.Errorf("refWords(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/channels/forge?q=a&after=b": "/channels/forge?q=a&after=b", "/a b\u202e": "/a%20b%E2%80%AE",
		"//evil.example": "/", `/\evil.example`: "/", "https://evil.example": "/", "": "/",
	} {
		if got := string(local(in)); got != want {
			t.Errorf("local(%q) = %q, want %q", in, got, want)
		}
	}
}
