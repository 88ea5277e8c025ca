package instance_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sluice/internal/attest/instance"
)

// repository is a TUF repository with the trusted root of an instance, served over HTTP.
type repository struct {
	t     *testing.T
	url   string
	first []byte // its first root.json
	root  *metadata.Metadata[metadata.RootType]
	keys  map[string]signature.Signer // by role

	mu      sync.Mutex // guards what follows
	files   map[string][]byte
	version int64
	asked   int
	away    bool
}

const valid = 7 * 24 * time.Hour

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, files: map[string][]byte{}, keys: map[string]signature.Signer{}, root: metadata.Root(time.Now().Add(365 * 24 * time.Hour))}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		r.keys[role] = r.key(role)
	}
	r.first = r.signRoot(r.keys[metadata.ROOT])
	s := httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *repository) source() instance.Source {
	return instance.Source{Name: "ours", Repository: &instance.Repository{URL: r.url, Root: r.first}}
}

func (r *repository) answer(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	b, ok := r.files[strings.TrimPrefix(req.URL.Path, "/")]
	switch {
	case r.away:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(b) // whoever asked has gone away
	}
}

// key makes a key and gives it a role.
func (r *repository) key(role string) signature.Signer {
	r.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	r.check(err)
	k, err := metadata.KeyFromPublicKey(public)
	r.check(err)
	r.check(r.root.Signed.AddKey(k, role))
	s, err := signature.LoadSigner(private, crypto.Hash(0))
	r.check(err)
	return s
}

func (r *repository) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// signed is metadata with its signatures.
func signed[T metadata.Roles](r *repository, m *metadata.Metadata[T], keys ...signature.Signer) []byte {
	r.t.Helper()
	m.ClearSignatures()
	for _, k := range keys {
		_, err := m.Sign(k)
		r.check(err)
	}
	b, err := m.ToBytes(false)
	r.check(err)
	return b
}

func (r *repository) signRoot(keys ...signature.Signer) []byte {
	b := signed(r, r.root, keys...)
	r.put(fmt.Sprintf("%d.root.json", r.root.Signed.Version), b)
	return b
}

func (r *repository) put(name string, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[name] = b
}

// rotate gives root and timestamp new keys.
func (r *repository) rotate() {
	r.t.Helper()
	old := r.keys[metadata.ROOT]
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP} {
		for _, id := range r.root.Signed.Roles[role].KeyIDs {
			r.check(r.root.Signed.RevokeKey(id, role))
		}
		r.keys[role] = r.key(role)
	}
	r.root.Signed.Version++
	r.signRoot(old, r.keys[metadata.ROOT])
}

// publish makes a trusted root the newest.
func (r *repository) publish(trustedRoot []byte) {
	r.t.Helper()
	r.version++
	end := time.Now().Add(valid)
	file, err := metadata.TargetFile().FromBytes("trusted_root.json", trustedRoot, "sha256")
	r.check(err)
	r.put("targets/"+hex.EncodeToString(file.Hashes["sha256"])+".trusted_root.json", trustedRoot)
	targets, snapshot := metadata.Targets(end), metadata.Snapshot(end)
	targets.Signed.Version, snapshot.Signed.Version = r.version, r.version
	targets.Signed.Targets["trusted_root.json"] = file
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(r.version)
	r.put(fmt.Sprintf("%d.targets.json", r.version), signed(r, targets, r.keys[metadata.TARGETS]))
	r.put(fmt.Sprintf("%d.snapshot.json", r.version), signed(r, snapshot, r.keys[metadata.SNAPSHOT]))
	r.stamp(end, r.keys[metadata.TIMESTAMP])
}

// stamp signs the timestamp of the newest version.
func (r *repository) stamp(end time.Time, key signature.Signer) {
	r.t.Helper()
	timestamp := metadata.Timestamp(end)
	timestamp.Signed.Version = r.version
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(r.version)
	r.put("timestamp.json", signed(r, timestamp, key))
}

// state is all that the repository serves, to be restored.
func (r *repository) state() map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.files)
}

func (r *repository) restore(files map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = maps.Clone(files)
}

// leave has it answer nobody any more, or again.
func (r *repository) leave(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// requests is how many there have been.
func (r *repository) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}
