package verify

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"

	"sluice/internal/conda"
)

// LockedFile is a package file that a lock file names.
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

// ReadLock reads a pixi.lock. Each file is named once, in the order of the lock file. others is how many packages come from
// elsewhere than from a channel: from PyPI, or from sources.
func ReadLock(text []byte) (files []LockedFile, others int, err error) {
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
		return nil, 0, fmt.Errorf("not a lock file: %w", err)
	}
	if lock.Version < oldestLock || lock.Version > newestLock {
		return nil, 0, fmt.Errorf("a lock file of version %d; those from %d to %d are read", lock.Version, oldestLock, newestLock)
	}
	seen := map[string]bool{}
	for _, p := range lock.Packages {
		address := p.Conda
		if p.Kind == "conda" {
			address = p.URL
		}
		if !strings.Contains(address, "://") {
			others++
			continue
		}
		f, err := lockedFile(address)
		if err == nil {
			err = hexInto(f.SHA256[:], p.SHA256, "sha256")
		}
		if err == nil {
			err = hexInto(f.MD5[:], p.MD5, "md5")
		}
		if err != nil {
			return nil, 0, err
		}
		if !seen[address] {
			seen[address] = true
			files = append(files, f)
		}
	}
	return files, others, nil
}

// lockedFile takes the address of a package apart. What could be a secret in it is not repeated.
func lockedFile(address string) (f LockedFile, err error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" {
		return f, fmt.Errorf("the lock file names an address of a package that cannot be used: it must be of the form https://HOST/CHANNEL/SUBDIR/FILE")
	}
	parts := strings.Split(u.Path, "/")
	if len(parts) < 3 {
		return f, fmt.Errorf("the lock file names %q, which is no file in a subdir of a channel", u.Redacted())
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
