package artifact

import (
	"errors"
	"hash/maphash"
	"io"
	"strings"

	"sluice/internal/conda"
)

// tree walks the entries of one tar file and holds them to the rules for paths. What it remembers is
// eight bytes a path, so that a package of 100 000 files costs a few MiB.
type tree struct {
	lim     Limits
	found   *contents
	info    bool // entries below info/ belong here
	payload bool // all others do

	seed      maphash.Seed
	seen      map[uint64]bool // by the path's hash: whether it is a folder
	links     map[uint64]bool // the symbolic links among them
	infoBytes int64
	infos     int
	payloads  int
}

func newTree(lim Limits, found *contents) *tree {
	return &tree{lim: lim, found: found, seed: maphash.MakeSeed(), seen: map[uint64]bool{}, links: map[uint64]bool{}}
}

// walk reads the tar in r to its end. It never stops at what it looks for: the same path may come again.
func (t *tree) walk(r io.Reader) error {
	tr := &tarReader{r: r}
	for {
		e, err := tr.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.entry(e, tr); err != nil {
			return err
		}
	}
}

// entry checks one entry, and keeps it when it is a file that is read.
func (t *tree) entry(e entry, r io.Reader) error {
	isInfo := t.info && (!t.payload || placeOf(e.path) == inInfo)
	if err := t.count(e, isInfo); err != nil {
		return err
	}
	switch {
	case isInfo:
		if err := checkInfoPath(e.path); err != nil {
			return err
		}
	case placeOf(e.path) == inInfo:
		return bad("the tar has %s; info/ belongs into the other member of the package", quote(e.path))
	default:
		if err := checkPayloadPath(e.path); err != nil {
			return err
		}
	}
	path := plain(e.path)
	if e.kind != kindDir && (path == "" || path == "info") {
		return bad("the tar has %s as something else than a folder", quote(e.path))
	}
	if err := t.note(path, e.kind); err != nil || !isInfo {
		return err
	}
	return t.found.take(path, e, r)
}

// count adds the entry to the totals.
func (t *tree) count(e entry, isInfo bool) error {
	if !isInfo {
		if t.payloads++; t.payloads > t.lim.PayloadEntries {
			return over("the package has more than %d files, which is the limit here", t.lim.PayloadEntries)
		}
		return nil
	}
	t.infos++
	if t.infos > t.lim.InfoEntries || e.size > t.lim.InfoBytes-t.infoBytes {
		return over("info/ has more than %d files or %d bytes, which is the limit here", t.lim.InfoEntries, t.lim.InfoBytes)
	}
	t.infoBytes += e.size
	return nil
}

// note remembers the path. It refuses a path that was there before, unless it is a folder both times,
// and one that leads through a symbolic link: unpacked, it would lie somewhere else.
func (t *tree) note(path string, kind byte) error {
	if len(t.links) > 0 {
		for i := range len(path) {
			if path[i] == '/' && t.links[maphash.String(t.seed, path[:i])] {
				return bad("the tar has %s, which leads through the link %s", quote(path), quote(path[:i]))
			}
		}
	}
	h := maphash.String(t.seed, path)
	wasDir, seen := t.seen[h]
	if seen && !(wasDir && kind == kindDir) {
		return bad("the tar has %s twice; readers disagree about which one counts", quote(path))
	}
	t.seen[h] = kind == kindDir
	if kind == kindSymlink {
		t.links[h] = true
	}
	return nil
}

// contents are the files below info/ that are read.
type contents struct {
	lim                      Limits
	index, about, runExports []byte // nil: not there
	paths                    bool   // there is a paths.json
	files                    int    // its entries
	traits                   conda.Traits
	oldTraits                conda.Traits // by what packages had before there was a paths.json
}

// allTraits are those of paths.json, or of what stands for it in very old packages.
func (c *contents) allTraits() conda.Traits {
	if c.paths {
		return c.traits
	}
	return c.oldTraits
}

// take reads the entry if it is one of the files. Size is the header's, checked before anything is read;
// r gives no more.
func (c *contents) take(path string, e entry, r io.Reader) error {
	var keep *[]byte
	var max int64
	name := strings.ToLower(path)
	switch name {
	case "info/index.json":
		keep, max = &c.index, c.lim.Index
	case "info/about.json":
		keep, max = &c.about, c.lim.About
	case "info/run_exports.json":
		keep, max = &c.runExports, c.lim.RunExports
	case "info/link.json":
		keep, max = new([]byte), c.lim.Link
	case "info/paths.json", "info/files", "info/has_prefix":
		max = c.lim.Paths
	default:
		return nil
	}
	switch {
	case name != path:
		return bad("the tar has %s, which some systems take for %s", quote(path), name)
	case e.kind != kindFile:
		return bad("the tar has %s as a folder or link; it must be a plain file", path)
	case e.size > max:
		return over("%s has %d bytes; the limit here is %d", path, e.size, max)
	}
	if keep == nil {
		return within(path, c.readPaths(path, r))
	}
	return within(path, c.read(path, keep, r))
}

// readPaths reads one of the files that tell of those to install.
func (c *contents) readPaths(path string, r io.Reader) (err error) {
	if path == "info/paths.json" {
		c.paths = true
		c.files, c.traits, err = readPathsJSON(r)
		return err
	}
	read := readFiles
	if path == "info/has_prefix" {
		read = readHasPrefix
	}
	t, err := read(r)
	c.oldTraits |= t
	return err
}

// read checks the file's JSON and keeps it where it is kept.
func (c *contents) read(path string, keep *[]byte, r io.Reader) (err error) {
	if *keep, err = io.ReadAll(r); err != nil {
		return err
	}
	return checkJSON(*keep, path == "info/run_exports.json")
}
