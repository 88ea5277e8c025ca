package trust

import (
	"fmt"
	"io"
	"os"
	"time"
)

// keyFile is what tells one state of a file from another without reading it.
type keyFile struct {
	changed time.Time
	size    int64
}

// readKeyFile reads a JWK set from a file, within the bounds of one that is fetched. At least one key must be usable:
// somebody has put it there by hand.
func readKeyFile(name string) (fetched, error) {
	var out fetched
	f, err := os.Open(name)
	if err != nil {
		return out, err
	}
	defer f.Close()
	if out.file, err = stateOf(f.Stat()); err != nil {
		return out, err
	}
	out.jwks, err = io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return out, err
	}
	if len(out.jwks) > maxDocument {
		return out, fmt.Errorf("%s: more than %d bytes", name, maxDocument)
	}
	if out.keys, out.skipped, err = parseKeys(out.jwks); err != nil {
		return out, fmt.Errorf("%s: %w", name, err)
	}
	if len(out.keys) == 0 {
		return out, fmt.Errorf("%s: no key can be used: %w", name, out.skipped[0])
	}
	return out, nil
}

func stateOf(st os.FileInfo, err error) (keyFile, error) {
	if err != nil {
		return keyFile{}, err
	}
	return keyFile{changed: st.ModTime(), size: st.Size()}, nil
}

// fileChanged reports whether there is a key file that is another than the one that was read, and lets it be read at
// once: reading costs nobody anything, and a key that was taken out of it must not be taken a minute longer.
func (k *issuerKeys) fileChanged() bool {
	if k.JWKSFile == "" {
		return false
	}
	now, _ := stateOf(os.Stat(k.JWKSFile)) // a file that is away has no state, and no reading would give it one
	k.mu.Lock()
	defer k.mu.Unlock()
	if now == k.file {
		return false
	}
	k.triedAt = time.Time{}
	return true
}

// loadFile reads the key file at the start of the server.
func (k *issuerKeys) loadFile() error {
	got, err := readKeyFile(k.JWKSFile)
	if err != nil {
		return fmt.Errorf("keys of %s: %w", k.URL, err)
	}
	k.keys, k.fetchedAt, k.file = got.keys, k.now(), got.file
	return nil
}
