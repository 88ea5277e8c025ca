package importing_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/conda/repodata"
	"sluice/internal/db"
	"sluice/internal/importing"
	"sluice/internal/index"
	"sluice/internal/publish"
	"sluice/internal/servertest/postgres"
	"sluice/internal/token"
)

// old is a time at which the packages of the tests were built and listed, well before now.
var old = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

// elsewhere is a channel in a folder, as another program would have written it.
type elsewhere struct {
	t   testing.TB
	dir string
	// members are those of each index, by label/subdir and map.
	members map[string]map[string][]string
	removed map[string][]string
	info    map[string]string
}

func newElsewhere(t testing.TB) *elsewhere {
	return &elsewhere{t: t, dir: t.TempDir(), members: map[string]map[string][]string{}, removed: map[string][]string{}, info: map[string]string{}}
}

// pkg is a small package.
func pkg(name, version, subdir string, depends ...string) build.Package {
	p := build.Package{Name: name, Version: version, Build: "0", Subdir: subdir, Depends: depends, License: "MIT", TimestampMS: old.UnixMilli()}
	if subdir == "noarch" {
		p.Noarch = "generic"
	}
	return p
}

// file writes a package into a place (SUBDIR, or label/LABEL/SUBDIR), and returns its record.
func (e *elsewhere) file(place string, p build.Package, ext string) (conda.Filename, conda.Record) {
	e.t.Helper()
	f, err := p.Filename(ext)
	if err != nil {
		e.t.Fatal(err)
	}
	b, err := p.Conda()
	if ext == conda.ExtTarBz2 {
		b, err = p.TarBz2()
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.write(place+"/"+f.String(), b)
	limits := artifact.DefaultLimits()
	limits.Now = time.Now()
	read, err := artifact.Read(e.t.Context(), bytes.NewReader(b), int64(len(b)), f, limits)
	if err != nil {
		e.t.Fatal(err)
	}
	r := read.Record
	r.SHA256, r.MD5, r.Size, r.IndexedMS = sha256.Sum256(b), md5.Sum(b), int64(len(b)), old.UnixMilli()
	return f, r
}

func (e *elsewhere) write(name string, b []byte) {
	e.t.Helper()
	name = filepath.Join(e.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		e.t.Fatal(err)
	}
	if err := os.Chtimes(name, old, old); err != nil {
		e.t.Fatal(err)
	}
}

// list puts a record into the index of a place.
func (e *elsewhere) list(place string, f conda.Filename, r conda.Record) {
	section := "packages.conda"
	if f.Ext() == conda.ExtTarBz2 {
		section = "packages"
	}
	e.member(place, section, string(repodata.Member(f, r)))
}

func (e *elsewhere) member(place, section, member string) {
	if e.members[place] == nil {
		e.members[place] = map[string][]string{}
	}
	e.members[place][section] = append(e.members[place][section], member)
}

// add writes a package and lists it as it is.
func (e *elsewhere) add(place string, p build.Package, ext string) conda.Filename {
	e.t.Helper()
	f, r := e.file(place, p, ext)
	e.list(place, f, r)
	return f
}

// write writes every index.
func (e *elsewhere) index() {
	e.t.Helper()
	for place, maps := range e.members {
		info := e.info[place]
		if info == "" {
			info = `{}`
		}
		removed, err := json.Marshal(slices.Concat([]string{}, e.removed[place]))
		if err != nil {
			e.t.Fatal(err)
		}
		e.write(place+"/repodata.json", []byte(`{"info":`+info+`,"packages":{`+strings.Join(maps["packages"], ",")+
			`},"packages.conda":{`+strings.Join(maps["packages.conda"], ",")+`},"removed":`+string(removed)+`,"repodata_version":1}`))
	}
}

// site is a server's data that no server runs on.
type site struct {
	dir   string
	db    *db.DB
	blobs *blob.Folder
	ch    channel.Channel
}

// both runs a test over SQLite and over PostgreSQL.
func both(t *testing.T, run func(t *testing.T, s *site)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		run(t, newSite(t, t.TempDir(), ""))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, newSite(t, t.TempDir(), postgres.Database(t)))
	})
}

// newSite opens data and makes the channel forge in it, unless it is there.
func newSite(t testing.TB, dir, address string) *site {
	t.Helper()
	s, shut, err := openSite(t.Context(), dir, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shut)
	return s
}

// openSite is newSite for a process that is no test.
func openSite(ctx context.Context, dir, address string) (*site, func(), error) {
	s := &site{dir: dir}
	var err error
	if address != "" {
		s.db, err = db.OpenPostgres(ctx, address, time.Now)
	} else {
		s.db, err = db.OpenSQLite(ctx, filepath.Join(dir, "sluice.db"), time.Now)
	}
	if err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	if s.blobs, err = blob.NewFolder(root, s.db.Referenced); err != nil {
		return nil, nil, err
	}
	if _, err := s.blobs.Recover(ctx); err != nil {
		return nil, nil, err
	}
	name, err := conda.ParseChannel("forge")
	if err != nil {
		return nil, nil, err
	}
	if s.ch, err = s.db.ChannelByName(ctx, name); err != nil {
		accounts := &account.Accounts{Store: s.db, Tokens: s.db, Log: s.db, Now: time.Now, Passwords: account.NewPasswords(1)}
		ann, err := accounts.Create(ctx, audit.Actor{}, "ann", "", false, token.Token{})
		if err != nil {
			return nil, nil, err
		}
		s.ch, err = (&channel.Channels{Store: s.db, Now: time.Now}).Create(ctx, audit.Actor{}, ann.ID, "forge", channel.Public, "")
		if err != nil {
			return nil, nil, err
		}
	}
	return s, func() { _ = s.db.Close(); _ = root.Close() }, nil
}

// config is an import from a source, with default settings.
func (s *site) config(source importing.Source) importing.Config {
	limits := artifact.DefaultLimits()
	limits.Memory = publish.NewMemory(limits)
	return importing.Config{
		Source: source, Channel: s.ch, Store: s.db, Blobs: s.blobs, Jobs: 4, Limits: limits, MaxSize: 1 << 20, Now: time.Now,
		Actor: audit.Actor{Kind: audit.Operator, Means: "test"},
	}
}

// bring imports, and returns what became of each file.
func (s *site) bring(t *testing.T, c importing.Config) (importing.Summary, map[string]importing.Line) {
	t.Helper()
	lines := map[string]importing.Line{}
	c.Report = func(l importing.Line) { lines[l.Subdir+"/"+l.File] = l }
	sum, err := importing.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sum, lines
}

func folder(t testing.TB, dir string) *importing.Folder {
	t.Helper()
	f, err := importing.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// entries is what the index of a place says, by file name.
func (s *site) entries(t *testing.T, label, subdir string) map[string]repodata.Entry {
	t.Helper()
	l, err := conda.ParseLabel(label)
	if err != nil {
		t.Fatal(err)
	}
	d, err := conda.ParseSubdir(subdir)
	if err != nil {
		t.Fatal(err)
	}
	place := index.Place{ChannelID: s.ch.ID, Label: l, Subdir: d}
	f, err := index.New(s.db, 1<<20).File(t.Context(), place, s.ch.CreatedAt, index.RepodataJSON)
	if err != nil {
		t.Fatal(err)
	}
	body := f.Open(t.Context())
	defer body.Close()
	out := map[string]repodata.Entry{}
	for e, err := range repodata.NewSource(body, d).Entries() {
		if err != nil {
			t.Fatal(err)
		}
		out[e.File.String()] = e
	}
	return out
}

// stored is the names of all blobs, and what lies in the staging area.
func (s *site) stored(t *testing.T) (blobs, staging []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.dir, "blobs"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			blobs = append(blobs, filepath.Base(filepath.Dir(p))+filepath.Base(p))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "staging"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		staging = append(staging, e.Name())
	}
	return blobs, staging
}
