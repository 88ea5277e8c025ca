package verify

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// explicitLine makes a list explicit. conda takes it anywhere in the file.
const explicitLine = "@EXPLICIT"

// tellsOther reports whether a line is a comment by which a client tells of a package that is in no channel: conda of one
// without an address, conda-lock of one of PyPI.
func tellsOther(line string) bool {
	return strings.HasPrefix(line, "# no URL for:") || strings.HasPrefix(line, "# pip ") && strings.Contains(line, " @ ")
}

func isExplicit(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) == explicitLine {
			return true
		}
	}
	return false
}

// readExplicit reads an explicit list, as conda, rattler and mamba write and read it: a line for each package with its address,
// and behind a # its MD5 or SHA-256, where somebody has asked for that.
func readExplicit(text []byte) (out List, err error) {
	seen := map[string]LockedFile{}
	err = eachLine(text, func(line string) error {
		switch {
		case tellsOther(line):
			out.Others++
			return nil
		case line == "", line == explicitLine, line[0] == '#':
			return nil
		}
		address, digest, digested := strings.Cut(line, "#")
		if !strings.Contains(address, "://") {
			return errAddress
		}
		if !inChannel(address) {
			out.Others++
			return nil
		}
		f, err := lockedFile(address)
		if err == nil && digested {
			err = f.digest(digest)
		}
		if err != nil {
			return err
		}
		return out.add(f, seen)
	})
	return out, err
}

var errAddress = errors.New("no address of a package: it must be of the form https://HOST/CHANNEL/SUBDIR/FILE, with #MD5 or #SHA256 behind it or nothing")

// digest takes what stands behind the # of an address.
func (f *LockedFile) digest(s string) error {
	s, named := strings.CutPrefix(s, "sha256:")
	b, err := hex.DecodeString(s)
	switch {
	case err == nil && len(b) == len(f.SHA256):
		f.SHA256 = [32]byte(b)
	case err == nil && len(b) == len(f.MD5) && !named:
		f.MD5 = [16]byte(b)
	default:
		return fmt.Errorf("%s has the digest %.80q; it must be the 32 hexadecimal digits of an MD5, or the 64 of a SHA-256", f.File, s)
	}
	return nil
}
