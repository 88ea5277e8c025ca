package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/importing"
	"sluice/internal/verify"
)

// elsewhere looks at the packages of these names, or at all, of a channel at an address.
func (c *verifyCommand) elsewhere(ctx context.Context, s Streams, names []string) error {
	selection, err := c.selection()
	if err != nil {
		return err
	}
	if len(names) == 0 && !c.All {
		return errors.New("name packages, or look at all packages of the channel with --all")
	}
	w, err := c.web(c.From)
	if err != nil {
		return err
	}
	return c.afar(ctx, s, w.String(), func(v *verifying, f *verify.Foreign) error {
		subdirs := selection.Subdirs
		if len(subdirs) == 0 {
			if subdirs, err = w.Subdirs(ctx); err != nil {
				return err
			}
		}
		if len(names) == 0 {
			return v.whole(ctx, f, w, subdirs)
		}
		for _, d := range subdirs {
			if err := f.Files(ctx, verify.Listed(ctx, w, d, names), v.found); err != nil {
				return err
			}
		}
		return v.allOf(names)
	})
}

// whole looks at everything that a channel lists, and says before how much that is.
func (v *verifying) whole(ctx context.Context, f *verify.Foreign, w *importing.Web, subdirs []conda.Subdir) error {
	v.counting.Store(true)
	all, err := verify.OpenWhole(ctx, w, subdirs)
	if err != nil {
		return err
	}
	defer all.Close()
	v.counting.Store(false)
	v.total.Store(all.Files)
	if !v.Quick {
		v.totalBytes.Store(all.Bytes)
	}
	if all.Files == 0 {
		return fmt.Errorf("%s has no channel, or one without packages: name the address of a channel, without a subdir", v.what)
	}
	v.pause()
	_, err = fmt.Fprintln(v.streams.Err, v.ahead(all))
	v.watch()
	if err != nil {
		return err
	}
	return f.Files(ctx, all.Listed(ctx), v.found)
}

// ahead says how much there is to look at.
func (v *verifying) ahead(all *verify.Whole) string {
	line := fmt.Sprintf("%s: %s to look at", v.what, count(all.Files, "file"))
	if !v.Quick {
		line += ", " + sizeText(all.Bytes) + " to read"
		if all.Unsized > 0 {
			line += fmt.Sprintf(" and %s more of which the index does not tell the size", count(all.Unsized, "file"))
		}
	}
	return line
}

// allOf notes which packages were not there. It refuses to call a look at nothing a success.
func (v *verifying) allOf(names []string) error {
	for _, name := range names {
		if !v.names[name] && !slices.Contains(v.missing, name) {
			v.missing = append(v.missing, name)
		}
	}
	if v.sum.Files() == 0 {
		return fmt.Errorf("%s: look at the spelling", v.lacks(names))
	}
	return nil
}

// lacks says that a channel has none of some packages.
func (v *verifying) lacks(names []string) string {
	return fmt.Sprintf("%s lists no package %s", v.what, shown(strings.Join(names, ", ")))
}

// afar has look use what looks at channels elsewhere, and tells what is found.
func (c *verifyCommand) afar(ctx context.Context, s Streams, what string, look func(*verifying, *verify.Foreign) error) (err error) {
	if c.Print && c.Report == "-" {
		return errors.New("--print-policy prints a policy on standard output: write the report to a file")
	}
	terms, dir, err := c.terms()
	if err != nil {
		return err
	}
	checker, done, err := c.checker(ctx, s, terms.Instances, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	return c.tell(s, what, func(v *verifying) error {
		v.anybody, v.signed.Instances = len(terms.Signers) == 0, terms.Instances
		return look(v, &verify.Foreign{Attest: checker, Terms: terms, Quick: c.Quick, Legacy: c.Legacy})
	})
}

// terms reads the policy, and returns the folder in which its paths begin.
func (c *verifyCommand) terms() (out verify.Terms, dir string, err error) {
	if c.Policy == "" {
		return verify.DefaultTerms(), ".", nil
	}
	text, err := os.ReadFile(c.Policy)
	if err != nil {
		return out, "", err
	}
	if out, err = verify.ReadTerms(text); err != nil {
		return out, "", fmt.Errorf("%s: %s", c.Policy, sentence(err))
	}
	return out, filepath.Dir(c.Policy), nil
}

// web opens a channel at an address. Its secret is that of --token-env or --header-env; else SLUICE_TOKEN, where the channel is
// one of the server that SLUICE_SERVER names: nobody else is sent it.
func (c *verifyCommand) web(address string) (*importing.Web, error) {
	credential, err := c.credential(os.Getenv)
	if err != nil {
		return nil, err
	}
	if credential.Value != "" && c.From == "" {
		return nil, errors.New("say with --from for which channel of the lock file the token is")
	}
	if t := os.Getenv("SLUICE_TOKEN"); credential.Value == "" && t != "" && sameServer(os.Getenv("SLUICE_SERVER"), address) {
		credential = importing.Credential{Header: "Authorization", Value: "Bearer " + strings.TrimSpace(t)}
	}
	return importing.OpenWeb(address, credential)
}

// sameServer reports whether two addresses have the same scheme and host.
func sameServer(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil || x.Host == "" {
		return false
	}
	y, err := url.Parse(b)
	return err == nil && x.Scheme == y.Scheme && strings.EqualFold(x.Host, y.Host)
}
