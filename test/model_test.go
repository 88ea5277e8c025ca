package test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/version"
	"sluice/internal/curate"
	"sluice/internal/servertest"
	"sluice/test/clients"
)

// model is what a channel should be to those who read it.
type model struct {
	*world
	now    func() time.Time
	labels map[string]map[string]*entry // by label, then file name; of taken out ones, too
	names  map[string]bool              // every name that ever was
	user   *clients.User
}

// entry is what one label should say of a file.
type entry struct {
	subdir, name, version string
	sha256                string
	depends               []string
	v3                    bool
	// indexed is when the label first listed these bytes, in milliseconds.
	indexed          int64
	out, yanked, del bool
}

func all(*entry) bool         { return true }
func legacy(e *entry) bool    { return !e.v3 }
func (e *entry) listed() bool { return !e.out && !e.yanked && !e.del }

func newModel(t *testing.T, w *world, now func() time.Time) *model {
	private, replaceable := channel.Private, true
	var err error
	w.forge, err = w.Channels.Change(t.Context(), audit.Actor{Kind: audit.User, Name: "ann"}, w.forge, channel.Revision{Visibility: &private, Replaceable: &replaceable})
	if err != nil {
		t.Fatal(err)
	}
	return &model{
		world: w, now: now, labels: map[string]map[string]*entry{"main": {}, "dev": {}}, names: map[string]bool{}, user: clients.NewUser(t),
	}
}

func label(t *testing.T, s string) conda.Label {
	t.Helper()
	l, err := conda.ParseLabel(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// upload publishes a package, whose record says that it depends on this, and needs revision 3 where that is anything.
func (m *model) upload(t *testing.T, p parcel, depends []string) {
	t.Helper()
	m.fill(t, m.forge, p)
	f, err := conda.ParseFilename(p.file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(p.body)
	m.names[f.Name()] = true
	m.labels["main"][p.file] = &entry{
		subdir: p.subdir, name: f.Name(), version: f.Version(), sha256: hex.EncodeToString(sum[:]),
		depends: append([]string{}, depends...), v3: depends != nil, indexed: m.now().UnixMilli(),
	}
}

// replace publishes other bytes in the place of a file.
func (m *model) replace(t *testing.T, p parcel) {
	t.Helper()
	req := m.request(t, http.MethodPost, "/api/v1/upload/forge?force=true", m.key, p.body)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-File-Name", p.file)
	if status, _, answer := servertest.Do(t, req); status != http.StatusOK {
		t.Fatalf("replace %s: %d %s", p.file, status, answer)
	}
	e := m.labels["main"][p.file]
	sum := sha256.Sum256(p.body)
	e.sha256, e.indexed = hex.EncodeToString(sum[:]), m.now().UnixMilli()
}

// change does something to files, there and in the model.
func (m *model) change(t *testing.T, c curate.Change, parcels ...parcel) {
	t.Helper()
	for _, p := range parcels {
		m.keep(t, c, p.subdir+"/"+p.file)
		switch c.Kind {
		case curate.List:
			m.list(c.Label, p.file)
		case curate.TakeOut:
			m.labels[c.Label.String()][p.file].out = true
		case curate.Move:
			m.list(c.To, p.file)
			m.labels[c.Label.String()][p.file].out = true
		}
		for _, files := range m.labels {
			if e := files[p.file]; e != nil {
				e.change(c)
			}
		}
	}
}

func (e *entry) change(c curate.Change) {
	switch c.Kind {
	case curate.Yank, curate.Unyank:
		e.yanked = c.Kind == curate.Yank
	case curate.Delete, curate.Restore:
		e.del = c.Kind == curate.Delete
	case curate.Patch:
		e.depends = []string{}
		if c.Patch.Depends != nil {
			e.depends = *c.Patch.Depends
		}
	}
}

// list lists a file in a label, of which the label may remember since when it did.
func (m *model) list(l conda.Label, file string) {
	if e := m.labels[l.String()][file]; e != nil {
		e.out = false
		return
	}
	for _, files := range m.labels {
		if e := files[file]; e != nil {
			copied := *e
			copied.out, copied.indexed = false, m.now().UnixMilli()
			m.labels[l.String()][file] = &copied
			return
		}
	}
}

// address is that of a label, with a token, for clients.
func (m *model) address(l string) string { return m.URL + "/t/" + m.key + "/forge/label/" + l }

// subdirs are those that the clients look at; the last one stays empty.
var subdirs = []string{"linux-64", "noarch", "osx-arm64"}

// sight is what readers of one kind see: of each file its hash, its dependencies and when it was listed.
type sight map[string]string

func line(sha256 string, depends []string, indexed int64) string {
	return fmt.Sprintf("%s %q %d", sha256, depends, indexed)
}

// want is what a label shows of those entries that are meant.
func (m *model) want(l string, which func(e *entry) bool) sight {
	out := sight{}
	for file, e := range m.labels[l] {
		if e.listed() && which(e) {
			out[file] = line(e.sha256, e.depends, e.indexed)
		}
	}
	return out
}

// removed are the names of the files that a label lists as removed, of those that are meant, in order.
func (m *model) removed(l string, which func(e *entry) bool) []string {
	out := []string{}
	for file, e := range m.labels[l] {
		if e.yanked && !e.out && !e.del && which(e) {
			out = append(out, file)
		}
	}
	slices.Sort(out)
	return out
}

// newest are the highest versions that solvers see, by name, of those entries that are meant.
func (m *model) newest(l string, which func(e *entry) bool) map[string]*entry {
	out := map[string]*entry{}
	for _, e := range m.labels[l] {
		if e.listed() && which(e) && (out[e.name] == nil || version.Compare(e.version, out[e.name].version) > 0) {
			out[e.name] = e
		}
	}
	return out
}
