package conda

import (
	"errors"
	"strings"
)

// The extensions of the two package formats, in lower case and exact: clients compare them so.
const (
	ExtConda  = ".conda"
	ExtTarBz2 = ".tar.bz2"
)

// Filename is a package's file name taken apart, as CEP 26 spells it: NAME-VERSION-BUILD with one of the
// two extensions. Name, version and build pass CheckName, CheckVersion and CheckBuild, so none is empty
// and none holds a path separator: a Filename may be joined to a path unseen.
// The zero value is invalid; ParseFilename is the only way to a valid one. Filenames compare with ==.
type Filename struct{ name, version, build, ext string }

// ParseFilename takes s apart, from the right, because names hold '-'. Every error is a *SyntaxError of
// What "file name".
func ParseFilename(s string) (Filename, error) {
	const what = "file name"
	if err := bounded(what, s, MaxFilename); err != nil {
		return Filename{}, err
	}
	f, err := splitFilename(s)
	if err != nil {
		return Filename{}, err
	}
	if err := f.check(); err != nil {
		part, _ := errors.AsType[*SyntaxError](err)
		return Filename{}, refuse(what, s, "has the %s %s, which %s", part.What, shown(part.Got), part.Why)
	}
	return f, nil
}

// splitFilename cuts s into its parts without judging them.
func splitFilename(s string) (Filename, *SyntaxError) {
	const what = "file name"
	ext := ExtConda
	stem, ok := strings.CutSuffix(s, ExtConda)
	if !ok {
		ext = ExtTarBz2
		if stem, ok = strings.CutSuffix(s, ExtTarBz2); !ok {
			return Filename{}, refuse(what, s, "ends in neither .conda nor .tar.bz2 (lower case)")
		}
	}
	b := strings.LastIndexByte(stem, '-')
	v := strings.LastIndexByte(stem[:max(b, 0)], '-')
	if v < 0 {
		return Filename{}, refuse(what, s, "is not of the form NAME-VERSION-BUILD%s", ext)
	}
	return Filename{name: stem[:v], version: stem[v+1 : b], build: stem[b+1:], ext: ext}, nil
}

// check judges the parts.
func (f Filename) check() error {
	if err := CheckName(f.name); err != nil {
		return err
	}
	if err := CheckVersion(f.version); err != nil {
		return err
	}
	return CheckBuild(f.build)
}

// Name is the package name.
func (f Filename) Name() string { return f.name }

// Version is the version as spelled; equal versions can be spelled in different ways.
func (f Filename) Version() string { return f.version }

// Build is the build string.
func (f Filename) Build() string { return f.build }

// Ext is ExtConda or ExtTarBz2.
func (f Filename) Ext() string { return f.ext }

// Stem is NAME-VERSION-BUILD, which both formats of one build share.
func (f Filename) Stem() string { return f.name + "-" + f.version + "-" + f.build }

// String returns exactly what ParseFilename was given; "" for the zero value.
func (f Filename) String() string {
	if f.IsZero() {
		return ""
	}
	return f.Stem() + f.ext
}

// IsZero reports whether f is the zero value, which names no file.
func (f Filename) IsZero() bool { return f == Filename{} }
