package conda_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/conda"
)

// wantSyntax checks that err is a *SyntaxError of the given What whose sentence holds why.
func wantSyntax(t *testing.T, err error, what, why string) {
	t.Helper()
	se, ok := errors.AsType[*conda.SyntaxError](err)
	if !ok || se.What != what || !strings.Contains(se.Error(), why) {
		t.Fatalf("error = %v, want a SyntaxError about a %s with %q", err, what, why)
	}
	if len(se.Error()) > 500 || strings.ContainsFunc(se.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("the sentence is too long or unprintable: %q", se.Error())
	}
}

func TestParseFilename(t *testing.T) {
	t.Parallel()
	l64 := strings.Repeat("a", 64)
	for _, tt := range []struct{ in, name, version, build, ext, wantErr string }{
		{in: "r-base-4.4-h1_0.tar.bz2", name: "r-base", version: "4.4", build: "h1_0", ext: ".tar.bz2"},
		{in: "_libgcc_mutex-0.1-main.conda", name: "_libgcc_mutex", version: "0.1", build: "main", ext: ".conda"},
		{in: "7za-1!2.0+local-0.conda", name: "7za", version: "1!2.0+local", build: "0", ext: ".conda"},
		{in: "x-1-Py3.8+cu_0.conda", name: "x", version: "1", build: "Py3.8+cu_0", ext: ".conda"},
		{in: l64 + "-" + l64 + "-" + l64 + ".tar.bz2", name: l64, version: l64, build: l64, ext: ".tar.bz2"},
		{in: "a" + l64 + "-1-0.conda", wantErr: "longer than 64"},
		{in: l64 + l64 + l64 + l64, wantErr: "longer than 211"},
		{in: "../zlib-1-0.conda", wantErr: `holds '/'`},
		{in: "a/zlib-1-0.conda", wantErr: `holds '/'`},
		{in: `..\zlib-1-0.conda`, wantErr: `holds '\\'`},
		{in: "x\x00-1-0.conda", wantErr: `holds '\x00'`},
		{in: "x\xff-1-0.conda", wantErr: `holds '\ufffd'`},
		{in: "x-1-0.CONDA", wantErr: "ends in neither"},
		{in: "X-1-0.conda", wantErr: `has the package name "X", which holds 'X'`},
		{in: "x-1.0.conda", wantErr: "not of the form NAME-VERSION-BUILD.conda"},
		{in: ".conda", wantErr: "not of the form"},
		{in: "--.conda", wantErr: `package name "", which is empty`},
		{in: "x--0.conda", wantErr: `version "", which is empty`},
		{in: "x-1-.conda", wantErr: `build string "", which is empty`},
		{in: "x-1-0.zip", wantErr: "ends in neither"},
		{in: "x-1..2-0.conda", wantErr: `version "1..2", which has an empty part`},
		{in: "x-1A-0.conda", wantErr: `version "1A", which holds 'A'`},
		{in: "x-1-0!.conda", wantErr: `build string "0!", which holds '!'`},
		{in: "__glibc-2-0.conda", wantErr: "virtual"},
		{in: "", wantErr: "is empty"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			f, err := conda.ParseFilename(tt.in)
			if tt.wantErr != "" {
				wantSyntax(t, err, "file name", tt.wantErr)
				return
			}
			if err != nil || f.Name() != tt.name || f.Version() != tt.version || f.Build() != tt.build || f.Ext() != tt.ext {
				t.Errorf("= %v, %v; want %+v", f, err, tt)
			}
			if f.IsZero() || f.String() != tt.in || f.Stem()+f.Ext() != tt.in {
				t.Errorf("String() = %q, Stem() = %q", f, f.Stem())
			}
		})
	}
	if zero := (conda.Filename{}); !zero.IsZero() || zero.String() != "" {
		t.Errorf("the zero value prints as %q", zero)
	}
}

func FuzzParseFilename(f *testing.F) {
	for _, s := range []string{"r-base-4.4-h1_0.tar.bz2", "_x-1!2+3-A.conda", "../x-1-0.conda", "x-1..2-0.conda", "__x-1-0.conda", "x-1-0.CONDA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := conda.ParseFilename(s)
		if err != nil {
			if _, ok := errors.AsType[*conda.SyntaxError](err); !ok {
				t.Errorf("%q: %T is no SyntaxError", s, err)
			}
			return
		}
		if n.String() != s || strings.ContainsAny(s, "/\\\x00% ") || strings.HasPrefix(s, ".") || len(s) > conda.MaxFilename {
			t.Errorf("accepted %q as %q", s, n)
		}
		if conda.CheckName(n.Name()) != nil || conda.CheckVersion(n.Version()) != nil || conda.CheckBuild(n.Build()) != nil {
			t.Errorf("a part of %q is not valid by itself", s)
		}
	})
}

// nameRE is CEP 26's expression for package names, its look-ahead written out.
var nameRE = regexp.MustCompile(`^([a-z0-9][._-]?|_[.-]?)([a-z0-9]+([._-]|$))*$`)

func TestCheckNameIsCEP26(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a0._A-]{1,8}`).Draw(t, "name")
		if got, want := conda.CheckName(s) == nil, nameRE.MatchString(s); got != want {
			t.Fatalf("accepted = %v, want %v", got, want)
		}
	})
	wantSyntax(t, conda.CheckName(strings.Repeat("a", 65)), "package name", "longer")
	wantSyntax(t, conda.CheckName("__unix"), "package name", "virtual")
	wantSyntax(t, conda.CheckName("-x"), "package name", "begins with '-'")
	wantSyntax(t, conda.CheckName("a._b"), "package name", `in a row: "._"`)
}

func TestParseSubdir(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"noarch", "linux-64", "osx-arm64", "emscripten-wasm32", "new0s-cpu9", strings.Repeat("a", 30) + "-b"} {
		if d, err := conda.ParseSubdir(s); err != nil || d.String() != s || d.IsZero() {
			t.Errorf("ParseSubdir(%q) = %q, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "noArch", "linux", "linux-", "-64", "linux-64-musl", "linux-64/../noarch", "linux_64", "..", strings.Repeat("a", 31) + "-b", "linux-64\n"} {
		_, err := conda.ParseSubdir(s)
		wantSyntax(t, err, "subdir", "is ")
	}
	if conda.Noarch().String() != "noarch" {
		t.Errorf("Noarch() = %q", conda.Noarch())
	}
}

func TestParseChannel(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"conda-forge", "my-channel", "_x", "0.a-b_c", "labels", "condax", "linux", "linux-64-tools", strings.Repeat("a", 128)} {
		if c, err := conda.ParseChannel(s); err != nil || c.String() != s || c.IsZero() {
			t.Errorf("ParseChannel(%q) = %q, %v", s, c, err)
		}
	}
	for s, why := range map[string]string{
		"conda":                  `"conda" is reserved: clients drop it from paths`,
		"t":                      "is reserved",
		"label":                  "is reserved",
		".well-known":            "is reserved",
		"favicon.ico":            "is reserved",
		"api":                    "the server's own pages",
		"healthz":                "the server's own pages",
		"noarch":                 "would take it for a subdir",
		"linux-64":               "would take it for a subdir",
		"win-anything":           "would take it for a subdir",
		"":                       "is empty",
		".a":                     "begins with '.'",
		"-a":                     "begins with '-'",
		"a/b":                    "holds '/'",
		"Forge":                  "holds 'F'",
		strings.Repeat("a", 129): "longer than 128",
	} {
		_, err := conda.ParseChannel(s)
		wantSyntax(t, err, "channel name", why)
	}
}

func TestParseLabel(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"main", "Dev", "pr/12", "rc-1.0_x", "a..b", "noarch/x", strings.Repeat("a", 128)} {
		if l, err := conda.ParseLabel(s); err != nil || l.String() != s || l.IsZero() {
			t.Errorf("ParseLabel(%q) = %q, %v", s, l, err)
		}
	}
	for s, why := range map[string]string{
		"":                       "is empty",
		"nolabel":                "stands for having no label",
		"1a":                     "must begin with a letter",
		"_a":                     "must begin with a letter",
		"/a":                     "must begin with a letter",
		"a b":                    "holds ' '",
		"a/../b":                 `segment ".."`,
		"a/.":                    `segment "."`,
		"a//b":                   `segment ""`,
		"a/":                     `segment ""`,
		"x/linux-64":             "take for a subdir",
		"noarch":                 "take for a subdir",
		strings.Repeat("a", 129): "longer than 128",
	} {
		_, err := conda.ParseLabel(s)
		wantSyntax(t, err, "label", why)
	}
	if conda.MainLabel().String() != "main" {
		t.Errorf("MainLabel() = %q", conda.MainLabel())
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pattern, yes, no string }{
		{"libtide", "libtide", "libtidex"},
		{"libtide*", "libtide", "libtid"},
		{"libtide*", "libtide-dev", "xlibtide"},
		{"lib-*", "lib-x", "lib"},
		{"*", "anything", ""},
	} {
		p, err := conda.ParsePattern(tt.pattern)
		if err != nil || p.String() != tt.pattern || p.IsAll() != (tt.pattern == "*") {
			t.Fatalf("ParsePattern(%q) = %q, %v", tt.pattern, p, err)
		}
		if !p.Match(tt.yes) || tt.no != "" && p.Match(tt.no) {
			t.Errorf("%q: Match(%q) = %v, Match(%q) = %v", tt.pattern, tt.yes, p.Match(tt.yes), tt.no, p.Match(tt.no))
		}
	}
	for s, why := range map[string]string{
		"": "is empty", "**": "before its end", "*x": "before its end", "a*b": "before its end", "A*": "holds 'A'", "__*": "virtual", "a b": "holds ' '", "a--*": "in a row",
	} {
		_, err := conda.ParsePattern(s)
		wantSyntax(t, err, "package pattern", why)
	}
	if (conda.Pattern{}).Match("") || (conda.Pattern{}).Match("x") {
		t.Error("the zero Pattern matches something")
	}
}
