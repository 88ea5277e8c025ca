package verify

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"

	"sluice/internal/conda"
)

// LockedFile is a package file that a lock file names: a pixi.lock or an explicit list.
type LockedFile struct {
	// Channel is the address of its channel, without a slash at its end.
	Channel string
	Subdir  conda.Subdir
	File    conda.Filename
	// SHA256 and MD5 are zero where the lock file does not tell them.
	SHA256 [32]byte
	MD5    [16]byte
}

// The versions of pixi.lock that are read.
const (
	oldestLock = 4
	newestLock = 7
)

// isLock reports whether a line begins with the version, which every pixi.lock has.
func isLock(text []byte) bool {
	const key = "version:"
	return bytes.HasPrefix(text, []byte(key)) || bytes.Contains(text, []byte("\n"+key))
}

// readLock reads a pixi.lock.
func readLock(text []byte) (out List, err error) {
	var lock struct {
		Version  int `yaml:"version"`
		Packages []struct {
			Conda  string `yaml:"conda"` // since version 6
			Kind   string `yaml:"kind"`  // before
			URL    string `yaml:"url"`
			SHA256 string `yaml:"sha256"`
			MD5    string `yaml:"md5"`
		} `yaml:"packages"`
	}
	if err := yaml.Unmarshal(text, &lock); err != nil {
		return out, fmt.Errorf("not a lock file: %w", err)
	}
	if lock.Version < oldestLock || lock.Version > newestLock {
		return out, fmt.Errorf("a lock file of version %d; those from %d to %d are read", lock.Version, oldestLock, newestLock)
	}
	seen := map[string]LockedFile{}
	for _, p := range lock.Packages {
		address := p.Conda
		if p.Kind == "conda" {
			address = p.URL
		}
		if !inChannel(address) {
			out.Others++
			continue
		}
		f, err := lockedFile(address)
		if err == nil {
			err = hexInto(f.SHA256[:], p.SHA256, "sha256")
		}
		if err == nil {
			err = hexInto(f.MD5[:], p.MD5, "md5")
		}
		if err == nil {
			err = out.add(f, seen)
		}
		if err != nil {
			return List{}, err
		}
	}
	return out, nil
}

// inChannel reports whether an address can be that of a file in a channel that can be read.
func inChannel(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// lockedFile takes the address of a package apart. What could be a secret in it is not repeated.
func lockedFile(address string) (f LockedFile, err error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" || strings.HasPrefix(u.Path, "/t/") {
		return f, errors.New("an address of a package cannot be used: it must be of the form https://HOST/CHANNEL/SUBDIR/FILE, without a password or a token")
	}
	parts := strings.Split(u.Path, "/")
	if len(parts) < 3 {
		return f, fmt.Errorf("%q is no file in a subdir of a channel", address)
	}
	at := len(parts) - 2
	if f.Subdir, err = conda.ParseSubdir(parts[at]); err != nil {
		return f, err
	}
	if f.File, err = conda.ParseFilename(parts[at+1]); err != nil {
		return f, err
	}
	u.Path, u.RawPath, u.Fragment = strings.Join(parts[:at], "/"), "", ""
	f.Channel = u.String()
	return f, nil
}

func (f LockedFile) address() string {
	return f.Channel + "/" + f.Subdir.String() + "/" + f.File.String()
}

// hexInto reads a digest; an empty one leaves zero.
func hexInto(to []byte, s, what string) error {
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(to) {
		return fmt.Errorf("the lock file has the %s %.80q; it must be %d hexadecimal digits", what, s, hex.EncodedLen(len(to)))
	}
	copy(to, b)
	return nil
}
