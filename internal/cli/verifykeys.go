package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/instance"
	"sluice/internal/config"
	"sluice/internal/fault"
	"sluice/internal/server"
)

// askKeysTime bounds how long a look waits for the newest keys, askKeysEvery how old what was told may be before it is asked for again.
const (
	askKeysTime  = 15 * time.Second
	askKeysEvery = 24 * time.Hour
)

// checker checks by the instances of a policy: files of trusted roots, whose paths begin at a folder, and the public one by the
// newest keys that can be had. done ends its use.
func (c *verifyCommand) checker(ctx context.Context, s Streams, names []string, dir string) (checker *attest.Checker, done func() error, err error) {
	done = func() error { return nil }
	files, err := fileProfiles(names, dir)
	if err != nil {
		return nil, done, err
	}
	if !slices.Contains(names, config.PublicSigstore) {
		return attest.NewChecker(files...), done, nil
	}
	cfg, err := c.load()
	if err != nil {
		return nil, done, err
	}
	if cfg.SigstoreTUF != "" {
		return askedKeys(ctx, s, cfg, files)
	}
	public, err := attest.PublicGoodProfile()
	return attest.NewChecker(append(files, public)...), done, err
}

// fileProfiles are the instances of a policy that are files.
func fileProfiles(names []string, dir string) (out []*attest.Profile, err error) {
	for _, path := range names {
		if path == config.PublicSigstore {
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		root, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("instances: %w", err)
		}
		p, err := attest.NewProfile(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), root)
		if err != nil {
			return nil, fmt.Errorf("instances: %s: %w", path, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// askedKeys checks by the keys that the TUF repository of the public instance tells, as a server does, and beside it by files. What
// was told is kept in a folder of the user, so that no later run believes something older.
func askedKeys(ctx context.Context, s Streams, cfg config.Config, files []*attest.Profile) (checker *attest.Checker, done func() error, err error) {
	work, err := os.MkdirTemp("", "sluice-keys-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() error { return os.RemoveAll(work) }
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	source, err := server.SigstoreSource(cfg, config.PublicSigstore)
	if err != nil {
		return nil, nil, err
	}
	store, err := keysFolder(s, work)
	if err != nil {
		return nil, nil, err
	}
	k, err := instance.New(ctx, instance.Config{
		Sources: []instance.Source{source}, Fixed: files, Store: store, Dir: filepath.Join(work, "ask"), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		return nil, nil, err
	}
	if h := k.Health()[0]; time.Since(h.CheckedAt) >= askKeysEvery || time.Now().After(h.ValidUntil) {
		asking, cancel := context.WithTimeout(ctx, askKeysTime)
		defer cancel()
		k.Refresh(asking)
	}
	return k.Checker, remove, tellKeys(s, k.Health()[0], cfg.SigstoreTUF)
}

// keysFolder is where what repositories told is kept: in the user's folder for such things, or where there is none, for this run.
func keysFolder(s Streams, work string) (*instance.Folder, error) {
	dir, err := os.UserCacheDir()
	if err == nil {
		var f *instance.Folder
		if f, err = instance.OpenFolder(filepath.Join(dir, "sluice", "tuf")); err == nil {
			return f, nil
		}
	}
	if _, err := fmt.Fprintf(s.Err, "The keys of sigstore are not kept for the next run: %v.\n", err); err != nil {
		return nil, err
	}
	return instance.OpenFolder(filepath.Join(work, "kept"))
}

// tellKeys says that the newest keys could not be had, and which count. None at all are an error.
func tellKeys(s Streams, h instance.Health, address string) error {
	why := fault.OneLine(h.LastError, 300)
	switch {
	case why == "":
		return nil
	case h.Root == "":
		return fmt.Errorf("no keys could be had from %s (%s): try again, or name the file of a trusted root in instances of the policy", address, why)
	}
	count := "those of this program count"
	if h.Source == instance.FromTUF {
		count = fmt.Sprintf("those that it told on %s count, which hold until %s", h.CheckedAt.Format(time.DateOnly), h.ValidUntil.Format(time.DateOnly))
		if h.Stale {
			count = fmt.Sprintf("those that it told on %s count, though they were to hold until %s", h.CheckedAt.Format(time.DateOnly), h.ValidUntil.Format(time.DateOnly))
		}
	}
	_, err := fmt.Fprintf(s.Err, "The newest keys of sigstore could not be had from %s (%s): %s. --sigstore-tuf off asks nobody.\n", address, why, count)
	return err
}
