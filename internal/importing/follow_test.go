package importing_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/curate"
	"sluice/internal/importing"
	"sluice/internal/servertest"
)

// keep does what a keeper of the channel does with files of noarch.
func (s *site) keep(t *testing.T, c curate.Change, files ...conda.Filename) {
	t.Helper()
	var sel curate.Selection
	for _, f := range files {
		sel.Files = append(sel.Files, curate.Key{Subdir: conda.Noarch(), File: f})
	}
	step, err := (&curate.Curator{Store: s.db}).Do(t.Context(), audit.Actor{Kind: audit.User, Name: "ann"}, s.ch, sel, c)
	if err != nil || len(step.Changed) != len(files) {
		t.Fatalf("%s of %v: changed %d, %v", c.Kind, files, len(step.Changed), err)
	}
}

// artifact is a file of noarch as keepers see it.
func (s *site) artifact(t *testing.T, f conda.Filename) curate.Artifact {
	t.Helper()
	found, err := s.db.Select(t.Context(), s.ch.ID, curate.Selection{Files: []curate.Key{{Subdir: conda.Noarch(), File: f}}}, 0, 1)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", f, found, err)
	}
	return found[0]
}

// wantChecked has the whole index of the channel checked against the packages.
func (s *site) wantChecked(t *testing.T) {
	t.Helper()
	found, err := check.New(s.db, s.blobs).Channel(t.Context(), s.ch, check.Options{Found: func(d check.Difference) { t.Error(d) }})
	if err != nil || found.Differences() != 0 {
		t.Errorf("%v; the check of the index found %d differences", err, found.Differences())
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

// moved is a channel elsewhere that goes on after it was imported. Each of its files stands for one thing that the source, or a
// keeper here, does with it.
type moved struct {
	*elsewhere

	records map[string]conda.Record
	files   map[string]conda.Filename
}

func newMoved(t *testing.T, versions ...string) *moved {
	m := &moved{elsewhere: newElsewhere(t), records: map[string]conda.Record{}, files: map[string]conda.Filename{}}
	for _, v := range versions {
		m.files[v], m.records[v] = m.file("noarch", pkg("tide", v, "noarch", "python"), conda.ExtConda)
		m.file("label/dev/noarch", pkg("tide", v, "noarch", "python"), conda.ExtConda)
	}
	m.write("labels.json", []byte(`{"labels":["dev","main"]}`))
	return m
}

// says writes the indexes: what main lists with which dependency, what it calls removed, and what dev lists.
func (m *moved) says(depends map[string]string, removed, dev []string) {
	m.members, m.removed = map[string]map[string][]string{"noarch": {}, "label/dev/noarch": {}}, map[string][]string{}
	for v, f := range m.files {
		r := m.records[v]
		if d := depends[v]; d != "" {
			r.Depends = strings.Split(d, ",")
		}
		if d, ok := depends[v]; ok && d == "" {
			r.Depends = nil
		}
		if slices.Contains(removed, v) {
			m.removed["noarch"] = append(m.removed["noarch"], f.String())
		} else {
			m.list("noarch", f, r)
		}
		if slices.Contains(dev, v) {
			r.IndexedMS += 1000
			m.list("label/dev/noarch", f, r)
		}
	}
	m.index()
}

// A second import takes up what the source has changed since, and leaves alone what keepers have changed here.
func TestSecondImport(t *testing.T) {
	t.Parallel()
	const (
		same, listed, yanked, unyanked, corrected, emptied, uncorrected, outHere, yankedHere, unyankedHere, correctedHere, deletedHere = "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"
	)
	both(t, func(t *testing.T, s *site) {
		m := newMoved(t, same, listed, yanked, unyanked, corrected, emptied, uncorrected, outHere, yankedHere, unyankedHere, correctedHere, deletedHere)
		m.says(map[string]string{uncorrected: "python <3.9"}, []string{unyanked, unyankedHere}, []string{outHere})
		if sum, _ := s.bring(t, s.config(folder(t, m.dir))); sum.Imported != 12 || sum.Yanked != 2 || sum.Patched != 1 {
			t.Fatalf("the first import: %+v", sum)
		}
		s.keep(t, curate.Change{Kind: curate.TakeOut, Label: label(t, "dev")}, m.files[outHere])
		s.keep(t, curate.Change{Kind: curate.Yank, Reason: "broken here"}, m.files[yankedHere])
		s.keep(t, curate.Change{Kind: curate.Unyank}, m.files[unyankedHere])
		s.keep(t, curate.Change{Kind: curate.Patch, Patch: conda.Patch{Depends: &[]string{"python <3"}}}, m.files[correctedHere])
		if sum, lines := s.bring(t, s.config(folder(t, m.dir))); sum.Updated != 0 || sum.KeptHere != 0 || sum.Present != 12 || len(lines) != 0 {
			t.Errorf("an import of what has not changed: %+v %+v", sum, lines)
		}
		s.keep(t, curate.Change{Kind: curate.Delete, Reason: "a password was in it"}, m.files[deletedHere])

		m.says(map[string]string{corrected: "python <3.14", emptied: "", correctedHere: "python <3.14"},
			[]string{yanked, unyankedHere, deletedHere}, []string{listed, outHere})
		dry := s.config(folder(t, m.dir))
		dry.DryRun = true
		would, _ := s.bring(t, dry)
		sum, lines := s.bring(t, s.config(folder(t, m.dir)))
		want := importing.Counts{Present: 11, Refused: 1, Updated: 6, ListedSince: 1, YankedSince: 1, UnyankedSince: 1, CorrectedSince: 3, KeptHere: 1}
		if d := cmp.Diff(want, sum.Counts); d != "" {
			t.Errorf("counts (-want +got):\n%s", d)
		}
		if would.Updated != sum.Updated || would.KeptHere != sum.KeptHere {
			t.Errorf("a dry run said %+v", would.Counts)
		}
		for v, changed := range map[string][]string{
			listed: {"labels"}, yanked: {"yanked"}, unyanked: {"unyanked"}, corrected: {"correction"}, emptied: {"correction"}, uncorrected: {"correction"},
		} {
			if l := lines["noarch/"+m.files[v].String()]; l.Outcome != "updated" || !slices.Equal(l.Changed, changed) || len(l.KeptHere) != 0 {
				t.Errorf("%s: %+v, want it updated: %v", v, l, changed)
			}
		}
		if l := lines["noarch/"+m.files[correctedHere].String()]; len(l.KeptHere) != 1 || !strings.Contains(l.KeptHere[0], "corrected here") {
			t.Errorf("%+v", l)
		}

		main, dev := s.entries(t, "main", "noarch"), s.entries(t, "dev", "noarch")
		for v, depends := range map[string][]string{
			same: {"python"}, corrected: {"python <3.14"}, emptied: nil, uncorrected: {"python"}, correctedHere: {"python <3"}, unyanked: {"python"}, unyankedHere: {"python"},
		} {
			if e := main[m.files[v].String()]; e.Place == repodata.Removed || !slices.Equal(e.Record.Depends, depends) {
				t.Errorf("%s is listed as %+v, want it to depend on %q", v, e, depends)
			}
		}
		for _, v := range []string{yanked, yankedHere} {
			if e := main[m.files[v].String()]; e.Place != repodata.Removed {
				t.Errorf("%s stands in %v", v, e.Place)
			}
		}
		if e := dev[m.files[listed].String()]; len(dev) != 1 || e.Record.IndexedMS != old.UnixMilli()+1000 {
			t.Errorf("dev lists %+v", dev)
		}
		if a := s.artifact(t, m.files[yanked]); a.State != curate.Yanked || a.By != "" || a.Reason != "It was yanked where it was imported from." {
			t.Errorf("yanked: %+v", a)
		}
		if a := s.artifact(t, m.files[yankedHere]); a.State != curate.Yanked || a.Reason != "broken here" {
			t.Errorf("yanked here: %+v", a)
		}
		events, err := s.db.Events(t.Context(), audit.Query{ChannelID: s.ch.ID, Limit: 1})
		if err != nil || events[0].Kind != audit.Imported || events[0].Facts["yanked_since"] != "1" || !strings.HasSuffix(events[0].Sentence, "took up what it has changed of 6 others") {
			t.Errorf("the event is %+v, %v", events, err)
		}
		s.wantChecked(t)
		if sum, lines := s.bring(t, s.config(folder(t, m.dir))); sum.Updated != 0 || sum.KeptHere != 1 || sum.Present != 11 {
			t.Errorf("a third import: %+v %+v", sum, lines)
		}
	})
}

// What the source yanked while it was not looked at whole is not yanked here; nor has another source a say in it.
func TestYankSeenInPart(t *testing.T) {
	t.Parallel()
	m := newMoved(t, "1")
	m.says(nil, nil, []string{"1"})
	s := newSite(t, t.TempDir(), "")
	s.bring(t, s.config(folder(t, m.dir)))
	m.says(nil, []string{"1"}, nil)
	m.removed["label/dev/noarch"] = []string{m.files["1"].String()}
	m.index()

	c := s.config(folder(t, m.dir))
	c.Labels = []conda.Label{conda.MainLabel()}
	sum, lines := s.bring(t, c)
	if l := lines["noarch/"+m.files["1"].String()]; sum.KeptHere != 1 || len(l.KeptHere) != 1 || !strings.Contains(l.KeptHere[0], "import all labels at once") {
		t.Errorf("an import of main alone: %+v %+v", sum, l)
	}
	other := t.TempDir()
	if err := os.CopyFS(other, os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	if sum, _ := s.bring(t, s.config(folder(t, other))); sum.Updated != 0 || sum.KeptHere != 0 || sum.Present != 1 {
		t.Errorf("an import from elsewhere: %+v", sum)
	}
	if e := s.entries(t, "main", "noarch")[m.files["1"].String()]; e.Place == repodata.Removed {
		t.Error("it was yanked")
	}
	if sum, _ := s.bring(t, s.config(folder(t, m.dir))); sum.YankedSince != 1 {
		t.Errorf("an import of all labels: %+v", sum)
	}
}

// A file that the index says something impossible of is told of, and stays as it was.
func TestImpossibleChange(t *testing.T) {
	t.Parallel()
	m := newMoved(t, "1")
	m.says(nil, nil, nil)
	s := newSite(t, t.TempDir(), "")
	s.bring(t, s.config(folder(t, m.dir)))
	r := m.records["1"]
	r.BuildNumber = 7
	m.records["1"] = r
	m.says(nil, nil, []string{"1"})
	sum, lines := s.bring(t, s.config(folder(t, m.dir)))
	if l := lines["noarch/"+m.files["1"].String()]; sum.Refused != 1 || sum.Updated != 0 || !strings.Contains(l.Why, "it is here as it was") || !strings.Contains(l.Why, "build_number: 0 → 7") {
		t.Errorf("%+v %+v", sum, l)
	}
	if dev := s.entries(t, "dev", "noarch"); len(dev) != 0 {
		t.Errorf("dev lists %+v", dev)
	}
}

// A server of ours tells when and why a file was yanked; other servers are asked once.
func TestYankWithItsReason(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, from *servertest.Server) {
		ann := from.User(t, "ann", true)
		there := &site{dir: from.Data, db: from.DB, ch: from.Channel(t, ann, "forge", channel.Public)}
		root, err := os.OpenRoot(from.Data)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = root.Close() })
		if there.blobs, err = blob.NewFolder(root, from.DB.Referenced); err != nil {
			t.Fatal(err)
		}
		m := newMoved(t, "1", "2")
		m.says(nil, nil, nil)
		there.bring(t, there.config(folder(t, m.dir)))
		there.keep(t, curate.Change{Kind: curate.Yank, Reason: "links against a broken libtide"}, m.files["1"])

		here := newSite(t, t.TempDir(), "")
		source := func() importing.Config { return here.config(web(t, from.URL+"/forge", importing.Credential{})) }
		if sum, _ := here.bring(t, source()); sum.Imported != 2 || sum.Yanked != 1 {
			t.Fatalf("%+v", sum)
		}
		there.keep(t, curate.Change{Kind: curate.Yank, Reason: "so does this"}, m.files["2"])
		if sum, _ := here.bring(t, source()); sum.YankedSince != 1 {
			t.Fatalf("%+v", sum)
		}
		for v, reason := range map[string]string{"1": "links against a broken libtide", "2": "so does this"} {
			a, was := here.artifact(t, m.files[v]), there.artifact(t, m.files[v])
			if a.State != curate.Yanked || a.Reason != reason || !a.At.Equal(was.At) || a.By != "" {
				t.Errorf("%s is here %+v, and was %+v", v, a, was)
			}
		}
		here.wantChecked(t)
	})
	t.Run("elsewhere", func(t *testing.T) {
		m := newMoved(t, "1", "2")
		m.says(nil, []string{"1", "2"}, nil)
		asked := &asked{}
		plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.note(r)
			http.StripPrefix("/forge", http.FileServer(http.Dir(m.dir))).ServeHTTP(w, r)
		}))
		t.Cleanup(plain.Close)
		s := newSite(t, t.TempDir(), "")
		if sum, _ := s.bring(t, s.config(web(t, plain.URL+"/forge", importing.Credential{}))); sum.Yanked != 2 {
			t.Errorf("%+v", sum)
		}
		if a := s.artifact(t, m.files["2"]); a.Reason != "It was yanked where it was imported from." || !a.At.Equal(old) {
			t.Errorf("%+v", a)
		}
		if n := len(asked.seen["/api/v1/server"]); n != 1 {
			t.Errorf("the source was asked %d times whether it is a server of ours", n)
		}
	})
}

// What the source says of run_exports is taken along where the package says something else, and what it says later, too.
func TestRunExports(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *site) {
		m := newMoved(t, "1", "2", "3", "4")
		m.says(nil, nil, nil)
		exports := func(text string) { m.write("noarch/run_exports.json", []byte(text)) }
		exports(`{"packages.conda":{"` + m.files["1"].String() + `":{"run_exports":{"weak":["tide >=1"]}},"` + m.files["2"].String() + `":{"run_exports":{}},"` +
			m.files["3"].String() + `":7,"` + m.files["4"].String() + `":{"run_exports":{"strong":["tide >=4"]}}}}`)
		if sum, _ := s.bring(t, s.config(folder(t, m.dir))); sum.Imported != 4 || sum.Patched != 2 || sum.Refused != 0 {
			t.Fatalf("%+v", sum)
		}
		want := func(version string, weak, strong []string) {
			t.Helper()
			p := s.artifact(t, m.files[version]).Patch
			if p.RunExports == nil {
				p.RunExports = &conda.RunExports{}
			}
			if !slices.Equal(p.RunExports.Weak, weak) || !slices.Equal(p.RunExports.Strong, strong) {
				t.Errorf("%s is said to export %+v", version, p.RunExports)
			}
		}
		want("1", []string{"tide >=1"}, nil)
		want("2", nil, nil)
		want("4", nil, []string{"tide >=4"})

		exports(`{"packages.conda":{"` + m.files["1"].String() + `":{"run_exports":{"weak":["tide >=1,<2"]}},"` + m.files["2"].String() + `":{"run_exports":{"weak":["tide >=2"]}}}}`)
		if sum, _ := s.bring(t, s.config(folder(t, m.dir))); sum.CorrectedSince != 2 || sum.Updated != 2 {
			t.Errorf("%+v", sum)
		}
		want("1", []string{"tide >=1,<2"}, nil)
		want("2", []string{"tide >=2"}, nil)
		want("4", nil, []string{"tide >=4"}) // of which the source says nothing any more

		exports(`<html>`)
		sum, lines := s.bring(t, s.config(folder(t, m.dir)))
		if l := lines["noarch/run_exports.json"]; sum.Updated != 0 || sum.Refused != 1 || !strings.Contains(l.Why, "corrections in it are not taken along") {
			t.Errorf("%+v %+v", sum, l)
		}
		want("1", []string{"tide >=1,<2"}, nil)
		s.wantChecked(t)
	})
}
