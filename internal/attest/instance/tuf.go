package instance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// Repository is a TUF repository (theupdateframework.github.io/specification) that has the trusted root of an instance.
type Repository struct {
	// URL is its address, without a slash at the end.
	URL string
	// Root is the root.json that its chain of trust begins with.
	Root []byte
}

// PublicRepository is sigstore's own repository, or a mirror of it at another address.
func PublicRepository(address string) *Repository {
	return &Repository{URL: address, Root: tuf.DefaultRoot()}
}

// Told is what a repository has told. It is kept, so that nobody can give us something older later.
type Told struct {
	// Version rises with every change.
	Version int64
	// Metadata is its signed metadata by role, byte for byte: root, timestamp, snapshot, targets.
	Metadata map[string][]byte
	// CheckedAt is when it was last asked with success, ValidUntil until when what it said then holds: the end of the
	// timestamp.
	CheckedAt, ValidUntil time.Time
}

// target is the name of the trusted root in a repository.
const target = "trusted_root.json"

// roles are those whose metadata is kept.
func roles() []string {
	return []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS}
}

// ask has the library go through TUF's client workflow (§5 of the specification) in an empty folder, from what was told
// before. What was verified on the way is returned in next, after an error, too: so far nobody gets us back.
func (r *Repository) ask(ctx context.Context, client *http.Client, dir string, had Told) (root []byte, next Told, err error) {
	next = Told{Version: had.Version, Metadata: had.Metadata, CheckedAt: had.CheckedAt, ValidUntil: had.ValidUntil}
	begin := r.Root
	if kept := had.Metadata[metadata.ROOT]; kept != nil {
		begin = kept
	}
	cfg, err := config.New(r.URL, begin)
	if err != nil {
		return nil, next, err
	}
	cfg.Fetcher = fetcher{ctx, client}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir = dir, filepath.Join(dir, "targets")
	if err := lay(dir, had.Metadata); err != nil {
		return nil, next, err
	}
	defer func() {
		kept, errGather := gather(dir)
		if errGather == nil {
			next.Metadata = kept
		}
		err = errors.Join(err, errGather, os.RemoveAll(dir))
	}()
	up, err := updater.New(cfg)
	if err != nil {
		return nil, next, fmt.Errorf("begin with root.json: %w", err)
	}
	info, err := up.GetTargetInfo(target)
	if err != nil {
		return nil, next, err
	}
	if info.Length > maxRoot {
		return nil, next, fmt.Errorf("%s has %d bytes, and at most %d are taken", target, info.Length, maxRoot)
	}
	if _, root, err = up.DownloadTarget(info, "", ""); err != nil {
		return nil, next, err
	}
	next.ValidUntil = up.GetTrustedMetadataSet().Timestamp.Signed.Expires
	return root, next, nil
}

// lay writes metadata where the library looks for it.
func lay(dir string, kept map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, role := range roles() {
		if b := kept[role]; b != nil {
			if err := os.WriteFile(filepath.Join(dir, role+".json"), b, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// gather reads what the library has left there: only what it had verified.
func gather(dir string) (map[string][]byte, error) {
	kept := map[string][]byte{}
	for _, role := range roles() {
		b, err := os.ReadFile(filepath.Join(dir, role+".json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		kept[role] = b
	}
	return kept, nil
}

// fetcher gets the library's files. Its interface has no context, so that of the one update is kept here.
type fetcher struct {
	ctx    context.Context //nolint:containedctx // see above
	client *http.Client
}

// DownloadFile implements the library's interface. The time comes from the context.
func (f fetcher) DownloadFile(address string, most int64, _ time.Duration) ([]byte, error) {
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "Sluice")
	res, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if res.StatusCode != http.StatusOK {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: res.StatusCode, URL: address}
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", address, err)
	}
	if int64(len(b)) > most {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("GET %s: more than %d bytes", address, most)}
	}
	return b, nil
}

// newClient makes a client that goes through the proxy of the environment, follows no redirects and talks TLS 1.2 or better.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:              http.ProxyFromEnvironment,
			TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:  true,
			DisableCompression: true, // what is counted is what is held
			IdleConnTimeout:    time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
