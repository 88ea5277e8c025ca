// Package sigstore runs a sigstore of one's own for tests: the servers that make, log and date signatures, each a process of
// its own on loopback. They are Fulcio, the certificate authority, which asks the stand-in for a CI service whether an identity
// token is its own; a log of certificates; Rekor, the log of signatures; and a timestamp authority. "make setup" builds them,
// and cosign, a client of theirs.
//
// It knows the servers' command lines and what clients need to trust them, and nothing of the server that gets attestations.
package sigstore

import (
	"crypto"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// An Instance is a running sigstore. Use Start.
type Instance struct {
	// Root is its trusted_root.json, Config the configuration with which clients in Python sign and verify.
	Root, Config []byte

	dir     string // keys, configuration and logs
	servers []*server

	certificateLog, signatureLog crypto.PublicKey
}

// Audience is that of the identity tokens which the certificate authority takes.
const Audience = "sigstore"

// Where the servers listen. The ports are below those that the system gives away, so that nothing of a test has them; that
// of the timestamp authority's figures, and the host at which Fulcio finds its own inside, cannot be chosen.
const (
	host             = "127.0.0.1"
	fulcioPort       = "22551"
	fulcioInsidePort = "22552"
	certificatesPort = "22553"
	rekorPort        = "22554"
	rekorInsidePort  = "22555"
	rekorFiguresPort = "22556"
	timestampPort    = "22557"

	// What the logs call themselves in what they sign; no address leads there.
	rekorOrigin        = "rekor.example.com"
	certificatesOrigin = "certificates.example.com"
)

// Start runs an instance that certifies jobs of one CI service, which speaks GitHub's protocol and calls itself issuer. It
// ends with t. There is one at a time on a machine, for it has fixed ports: whoever wants the next one waits.
func Start(t testing.TB, issuer string) *Instance {
	t.Helper()
	i := &Instance{dir: t.TempDir()}
	must(t, alone(t))
	t.Cleanup(func() {
		for _, s := range i.servers {
			s.end(t)
		}
	})
	i.startTimestamps(t)
	i.startFulcio(t, issuer)
	i.startCertificates(t)
	i.startRekor(t)
	for _, s := range i.servers {
		s.await(t)
	}
	i.trust(t)
	return i
}

// alone waits until no other instance runs on this machine; the lock ends with t.
func alone(t testing.TB) error {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "sluice-test-sigstore.lock"), os.O_RDWR|os.O_CREATE, 0o600) //nolint:usetesting // of all tests together
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = lock.Close() }) // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	return nil
}

func url(port string) string { return "http://" + net.JoinHostPort(host, port) }

// file writes a file that a server reads, and returns its path.
func (i *Instance) file(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(i.dir, name)
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// Programs is the folder of the programs, for users who type cosign.
func Programs(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for !exists(filepath.Join(dir, "go.mod")) {
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("sigstore: no go.mod above the working folder")
		}
		dir = parent
	}
	return filepath.Join(dir, ".cache", "bin")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("sigstore: %v", err)
	}
}
