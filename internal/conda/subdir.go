package conda

import "strings"

// Subdir is a platform's folder in a channel: "noarch" or OS-ARCH (CEP 26). Any OS and ARCH will do:
// the channel format has no fixed list. The zero value is invalid. Subdirs compare with ==.
type Subdir struct{ s string }

// Noarch is the subdir of packages for every platform; clients take a channel without it for no channel.
func Noarch() Subdir { return Subdir{"noarch"} }

// ParseSubdir reads a subdir. Every error is a *SyntaxError.
func ParseSubdir(s string) (Subdir, error) {
	const what = "subdir"
	if err := bounded(what, s, MaxSubdir); err != nil {
		return Subdir{}, err
	}
	os, arch, dashed := strings.Cut(s, "-")
	switch {
	case s == "noarch", dashed && allLower(os) && allLower(arch):
		return Subdir{s}, nil
	}
	return Subdir{}, refuse(what, s, `is neither "noarch" nor of the form OS-ARCH in lower-case letters and digits, such as "linux-64"`)
}

// String returns the subdir as spelled in paths; "" for the zero value.
func (d Subdir) String() string { return d.s }

// IsZero reports whether d is the zero value, which names no subdir.
func (d Subdir) IsZero() bool { return d.s == "" }

// allLower reports whether s is one or more lower-case letters and digits.
func allLower(s string) bool {
	for i := range len(s) {
		if !lower(s[i]) {
			return false
		}
	}
	return s != ""
}

// looksLikeSubdir reports whether a client would take the path segment s for a subdir. conda and rattler
// find the subdir in a URL by name. It is narrower than ParseSubdir, by the platforms that conda knows,
// so that channels may be called conda-forge or my-channel.
func looksLikeSubdir(s string) bool {
	if _, err := ParseSubdir(s); err != nil {
		return false
	}
	switch os, _, _ := strings.Cut(s, "-"); os {
	case "noarch", "linux", "osx", "win", "emscripten", "wasi", "freebsd", "zos":
		return true
	}
	return false
}
