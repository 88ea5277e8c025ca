// Package build assembles small conda packages in memory, in both formats, for the demo and for tests:
// real enough for every client to install, the same bytes for the same input. It is no build tool: it
// runs nothing, compiles nothing, and takes what it is given without judging it, so that tests can make
// packages that ought to be refused.
package build

import (
	"bytes"
	"fmt"
	"io"

	"sluice/internal/conda"
)

// Package is what goes into a package file. Name, Version, Build and Subdir are needed; all else may be
// left out.
type Package struct {
	Name, Version, Build string
	BuildNumber          uint64
	// Subdir as info/index.json names it, for example "noarch" or "linux-64".
	Subdir string
	// Noarch is "", "python" or "generic". For "python", put modules below site-packages/.
	Noarch              string
	Depends, Constrains []string
	License             string
	// TimestampMS is the time of the build, in milliseconds since 1970; 0 leaves it out.
	TimestampMS int64
	RunExports  conda.RunExports
	About       About
	// Files are the files to install, by path below the prefix, with '/'. Those below bin/ are executable.
	Files map[string][]byte
	// Noise adds a file of so many bytes that do not compress, share/NAME/noise, for tests that need a
	// large package. It is made while it is written and never held in memory.
	Noise int64
	// Info adds files below info/ or replaces those that are made here, by their path below info/. A nil
	// value leaves the file out.
	Info map[string][]byte
}

// About is what info/about.json tells people; empty fields are left out.
type About struct {
	Home, DevURL, DocURL, Summary, Description string
}

// Stem is NAME-VERSION-BUILD.
func (p Package) Stem() string { return p.Name + "-" + p.Version + "-" + p.Build }

// Filename is the package's file name with the given extension, conda.ExtConda or conda.ExtTarBz2.
func (p Package) Filename(ext string) (conda.Filename, error) {
	return conda.ParseFilename(p.Stem() + ext)
}

// Conda returns the package as a .conda file.
func (p Package) Conda() ([]byte, error) { return gather(p.WriteConda) }

// TarBz2 returns the package as a .tar.bz2 file.
func (p Package) TarBz2() ([]byte, error) { return gather(p.WriteTarBz2) }

func gather(write func(io.Writer) error) ([]byte, error) {
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return nil, fmt.Errorf("assemble package: %w", err)
	}
	return buf.Bytes(), nil
}
