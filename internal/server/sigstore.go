package server

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/attest"
	"sluice/internal/attest/instance"
	"sluice/internal/config"
	"sluice/internal/server/api"
)

// instancesOf makes the configured instances of sigstore.
func instancesOf(ctx context.Context, p Parts) (*instance.Instances, error) {
	var sources []instance.Source
	seen := map[string]string{}
	for _, root := range p.Config.SigstoreRoots {
		s, err := SigstoreSource(p.Config, root)
		if err != nil {
			return nil, fmt.Errorf("sigstore_root %s: %w", root, err)
		}
		if other, ok := seen[s.Name]; ok {
			return nil, fmt.Errorf("sigstore_root: %s and %s are both the instance %s: an instance has the name of its file, give one of them another", other, root, s.Name)
		}
		seen[s.Name] = root
		sources = append(sources, s)
	}
	return instance.New(ctx, instance.Config{Sources: sources, Store: p.DB, Dir: filepath.Join(p.Config.Data, "tuf"), Log: p.Log, Now: p.Now})
}

// SigstoreSource is where an instance of the setting sigstore_root has its root from. A file gives it its name, and so does the host of a repository of one's own.
func SigstoreSource(cfg config.Config, root string) (instance.Source, error) {
	switch {
	case root != config.PublicSigstore:
		return instance.Source{Name: strings.TrimSuffix(filepath.Base(root), filepath.Ext(root)), File: root}, nil
	case cfg.SigstoreTUFRoot != "":
		b, err := os.ReadFile(cfg.SigstoreTUFRoot)
		if err != nil {
			return instance.Source{}, err
		}
		u, err := url.Parse(cfg.SigstoreTUF)
		if err != nil {
			return instance.Source{}, err
		}
		return instance.Source{Name: u.Hostname(), Repository: &instance.Repository{URL: cfg.SigstoreTUF, Root: b}}, nil
	default:
		s := instance.Source{Name: attest.PublicGood, Start: attest.PublicGoodRoot()}
		if cfg.SigstoreTUF != "" {
			s.Repository = instance.PublicRepository(cfg.SigstoreTUF)
		}
		return s, nil
	}
}

// sigstore tells how the keys of every instance stand, in the order of the settings.
func (s *Server) sigstore() []api.Instance {
	out := []api.Instance{}
	for _, h := range s.instances.Health() {
		out = append(out, api.Instance{
			Name: h.Instance, Usable: h.Root != "", Root: h.Root, Source: string(h.Source), UsedAt: h.UsedAt, CheckedAt: h.CheckedAt, ValidUntil: h.ValidUntil, Stale: h.Stale,
		})
	}
	return out
}
