package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/attest"
	"sluice/internal/config"
)

// checkerOf makes what checks attestations, by the configured instances of sigstore.
func checkerOf(cfg config.Config) (*attest.Checker, error) {
	var profiles []*attest.Profile
	for _, root := range cfg.SigstoreRoots {
		p, err := profileOf(root)
		if err != nil {
			return nil, fmt.Errorf("attestations: %w", err)
		}
		profiles = append(profiles, p)
	}
	return attest.NewChecker(profiles...), nil
}

func profileOf(root string) (*attest.Profile, error) {
	if root == config.PublicSigstore {
		return attest.PublicGoodProfile()
	}
	b, err := os.ReadFile(root)
	if err != nil {
		return nil, err
	}
	return attest.NewProfile(strings.TrimSuffix(filepath.Base(root), filepath.Ext(root)), b)
}
