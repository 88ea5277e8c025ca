package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/importing"
	"sluice/internal/verify"
)

// isList reports whether an argument means a file. Neither channels nor packages have a slash in their names.
func isList(what string) bool {
	return strings.HasSuffix(what, ".lock") || strings.HasSuffix(what, ".txt") || strings.ContainsAny(what, "/"+string(filepath.Separator))
}

// list looks at what a file names.
func (c *verifyCommand) list(ctx context.Context, s Streams) error {
	name := c.What[0]
	if len(c.What) > 1 {
		return errors.New("name one file, and nothing beside it")
	}
	text, err := readUpTo(name, verify.MaxList)
	if err != nil {
		return err
	}
	list, err := verify.ReadList(text)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case len(list.Files) > 0:
		return c.locked(ctx, s, list)
	case len(list.Names) == 0:
		return fmt.Errorf("%s names no file of a channel", name)
	case c.From == "":
		return fmt.Errorf("%s names packages, and no channel: say which one with --from URL", name)
	default:
		return c.elsewhere(ctx, s, append(list.Names, c.Package...))
	}
}

// locked looks at the files that a lock file names.
func (c *verifyCommand) locked(ctx context.Context, s Streams, list verify.List) error {
	claims, places, err := c.claims(list.Files)
	if err != nil {
		return err
	}
	return c.afar(ctx, s, c.What[0], func(v *verifying, f *verify.Foreign) error {
		v.others, v.elsewhere = list.Others, len(list.Files)-len(claims)
		v.total.Store(int64(len(claims)))
		for _, some := range places {
			if err := verify.Locked(ctx, some[0].Channel, some[0].Subdir, some); err != nil {
				return err
			}
		}
		return f.Files(ctx, claimed(claims), v.found)
	})
}

// claims are the files of a lock file that are looked at, in its order, and the same by channel and subdir.
func (c *verifyCommand) claims(files []verify.LockedFile) (all []*verify.Claim, places [][]*verify.Claim, err error) {
	selection, err := c.selection()
	if err != nil {
		return nil, nil, err
	}
	webs, at := map[string]*importing.Web{}, map[string]int{}
	for _, f := range files {
		if len(selection.Subdirs) > 0 && !slices.Contains(selection.Subdirs, f.Subdir) || len(c.Package) > 0 && !slices.Contains(c.Package, f.File.Name()) {
			continue
		}
		if c.From != "" && strings.TrimRight(c.From, "/") != f.Channel {
			continue
		}
		w := webs[f.Channel]
		if w == nil {
			if w, err = c.web(f.Channel); err != nil {
				return nil, nil, err
			}
			webs[f.Channel] = w
		}
		claim := &verify.Claim{Channel: w, Subdir: f.Subdir, File: f.File, Locked: f.SHA256, LockedMD5: f.MD5}
		all = append(all, claim)
		place := f.Channel + "/" + f.Subdir.String()
		if _, ok := at[place]; !ok {
			at[place], places = len(places), append(places, nil)
		}
		places[at[place]] = append(places[at[place]], claim)
	}
	if len(all) == 0 {
		return nil, nil, errors.New("the lock file names no file that was asked for: look at --from, --subdir and --package")
	}
	return all, places, nil
}

func claimed(all []*verify.Claim) iter.Seq2[verify.Claim, error] {
	return func(yield func(verify.Claim, error) bool) {
		for _, c := range all {
			if !yield(*c, nil) {
				return
			}
		}
	}
}
