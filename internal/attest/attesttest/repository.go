package attesttest

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
)

// Repository is a TUF repository with the trusted root of an instance, served over HTTP.
type Repository struct {
	// URL is its address, First its first root.json.
	URL   string
	First []byte

	t    testing.TB
	root *metadata.Metadata[metadata.RootType]
	keys map[string]signature.Signer // by role

	mu      sync.Mutex // guards what follows
	files   map[string][]byte
	version int64
	asked   int
	away    bool
}

// Valid is how long its metadata holds.
const Valid = 7 * 24 * time.Hour

// NewRepository starts one that has no trusted root yet.
func NewRepository(t testing.TB) *Repository {
	t.Helper()
	r := &Repository{t: t, files: map[string][]byte{}, keys: map[string]signature.Signer{}, root: metadata.Root(time.Now().Add(365 * 24 * time.Hour))}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		r.keys[role] = r.key(role)
	}
	r.First = r.signRoot(r.keys[metadata.ROOT])
	s := httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

func (r *Repository) answer(w http.ResponseWriter, req *http.Request) {
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
func (r *Repository) key(role string) signature.Signer {
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

func (r *Repository) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// signed is metadata with its signatures.
func signed[T metadata.Roles](r *Repository, m *metadata.Metadata[T], keys ...signature.Signer) []byte {
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

func (r *Repository) signRoot(keys ...signature.Signer) []byte {
	b := signed(r, r.root, keys...)
	r.Put(fmt.Sprintf("%d.root.json", r.root.Signed.Version), b)
	return b
}

// Put has it serve a file.
func (r *Repository) Put(name string, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[name] = b
}

// Rotate gives root and timestamp new keys.
func (r *Repository) Rotate() {
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

// Publish makes a trusted root the newest.
func (r *Repository) Publish(trustedRoot []byte) {
	r.t.Helper()
	r.version++
	end := time.Now().Add(Valid)
	file, err := metadata.TargetFile().FromBytes("trusted_root.json", trustedRoot, "sha256")
	r.check(err)
	r.Put("targets/"+hex.EncodeToString(file.Hashes["sha256"])+".trusted_root.json", trustedRoot)
	targets, snapshot := metadata.Targets(end), metadata.Snapshot(end)
	targets.Signed.Version, snapshot.Signed.Version = r.version, r.version
	targets.Signed.Targets["trusted_root.json"] = file
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(r.version)
	r.Put(fmt.Sprintf("%d.targets.json", r.version), signed(r, targets, r.keys[metadata.TARGETS]))
	r.Put(fmt.Sprintf("%d.snapshot.json", r.version), signed(r, snapshot, r.keys[metadata.SNAPSHOT]))
	r.stamp(end, r.keys[metadata.TIMESTAMP])
}

// Forge has the timestamp of a next version signed by somebody for whom nobody vouches.
func (r *Repository) Forge() {
	r.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	r.check(err)
	key, err := signature.LoadED25519Signer(private)
	r.check(err)
	r.stampNext(time.Now().Add(Valid), key)
}

// Expire signs the timestamp of a next version, which has ended already.
func (r *Repository) Expire() {
	r.t.Helper()
	r.stampNext(time.Now().Add(-time.Hour), r.keys[metadata.TIMESTAMP])
}

func (r *Repository) stampNext(end time.Time, key signature.Signer) {
	r.version++
	r.stamp(end, key)
	r.version--
}

// stamp signs the timestamp of the newest version.
func (r *Repository) stamp(end time.Time, key signature.Signer) {
	r.t.Helper()
	timestamp := metadata.Timestamp(end)
	timestamp.Signed.Version = r.version
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(r.version)
	r.Put("timestamp.json", signed(r, timestamp, key))
}

// State is all that the repository serves, to be restored.
func (r *Repository) State() map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.files)
}

// Restore has it serve an earlier state again.
func (r *Repository) Restore(files map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = maps.Clone(files)
}

// Leave has it answer nobody any more, or again.
func (r *Repository) Leave(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// Requests is how many there have been.
func (r *Repository) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}
