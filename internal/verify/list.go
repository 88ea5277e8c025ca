package verify

import (
	"fmt"
	"strings"

	"sluice/internal/conda"
)

// List is what a file names of that which somebody installs.
type List struct {
	// Files are the package files that a lock file names, a pixi.lock or an explicit list: each once, in its order.
	Files []LockedFile
	// Names are the packages that a plain list names, which does not say of which channel.
	Names []string
	// Others is how many packages come from elsewhere than from a channel at an address.
	Others int
}

// MaxList bounds the files that ReadList reads, in bytes: some ten times the largest that are known.
const MaxList = 32 << 20

// ReadList reads a pixi.lock, an explicit list, or a plain list of package names, one a line. Which one it is, its content says:
// clients give them all names of their own.
func ReadList(text []byte) (List, error) {
	switch {
	case isExplicit(text):
		return readExplicit(text)
	case isLock(text):
		return readLock(text)
	default:
		return readNames(text)
	}
}

// readNames reads a plain list. It takes no more than names: which files a version or a build means, solvers decide.
func readNames(text []byte) (out List, err error) {
	err = eachLine(text, func(line string) error {
		if line == "" || line[0] == '#' {
			return nil
		}
		if conda.CheckName(line) != nil {
			return fmt.Errorf("%.80q is no name of a package: a pixi.lock is read, an explicit list with a line @EXPLICIT, or names of packages, one a line", line)
		}
		out.Names = append(out.Names, line)
		return nil
	})
	return out, err
}

// eachLine calls do with every line, without the space around it. Its error gets the number of the line.
func eachLine(text []byte, do func(line string) error) error {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if err := do(strings.TrimSpace(line)); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// add takes one more file of a lock file; once more the same changes nothing.
func (l *List) add(f LockedFile, seen map[string]LockedFile) error {
	address := f.address()
	if was, ok := seen[address]; !ok {
		seen[address] = f
		l.Files = append(l.Files, f)
	} else if was != f {
		return fmt.Errorf("%s is there twice, with different digests", address)
	}
	return nil
}
