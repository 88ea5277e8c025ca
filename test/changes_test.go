package test

import (
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/servertest"
)

// TestEveryClientAfterEveryChange changes a channel in every way in which it can change, and after each change has
// every client read every kind of file. They all must see what a naive model of the channel says, the moment of each
// first listing included. The channel is private, for then clients ask about what they have kept every time: so each
// of them goes the way of one who has an older state as well.
func TestEveryClientAfterEveryChange(t *testing.T) {
	t.Parallel()
	for _, postgres := range []bool{false, true} {
		t.Run(map[bool]string{false: "sqlite", true: "postgres"}[postgres], func(t *testing.T) {
			t.Parallel()
			var ahead atomic.Int64
			start := time.Now().Truncate(time.Millisecond)
			now := func() time.Time { return start.Add(time.Duration(ahead.Load())) }
			m := newModel(t, newWorld(t, servertest.New(t, servertest.Options{Postgres: postgres, Now: now})), now)
			changes := m.changes(t)
			for i, c := range changes {
				ahead.Add(int64(time.Minute))
				looks := m.libraries()
				if !postgres || i == len(changes)/2 { // there nothing differs but the rows' way to us
					looks = append(looks, m.commands()...)
				}
				t.Run(c.what, func(t *testing.T) {
					c.do(t)
					for _, look := range looks {
						t.Run(look.client, func(t *testing.T) {
							t.Parallel()
							look.wants(t)
						})
					}
				})
			}
		})
	}
}

// step is one change of the channel, and of the model.
type step struct {
	what string
	do   func(t *testing.T)
}

// changes are all kinds of change, in an order in which each meets what the ones before have left.
func (m *model) changes(t *testing.T) []step {
	first := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "linux-64", RunExports: conda.RunExports{Weak: []string{"tide"}}}
	next := first
	next.Version = "1.1"
	other := next
	other.License = "MIT" // and so other bytes
	ebb := build.Package{Name: "ebb", Version: "1!2.0+x", Build: "h1_0", Subdir: "noarch", Noarch: "generic"}
	flow := build.Package{Name: "flow", Version: "1.0", Build: "0", Subdir: "linux-64", Info: map[string][]byte{"index.json": []byte(
		`{"name":"flow","version":"1.0","build":"0","build_number":0,"subdir":"linux-64","depends":["tide[when=\"__unix\"]"],"schema_version":3}`)}}
	tide10, tide11, tide11other := pack(t, first, conda.ExtConda), pack(t, next, conda.ExtConda), pack(t, other, conda.ExtConda)
	ebb20, flow10 := pack(t, ebb, conda.ExtTarBz2), pack(t, flow, conda.ExtConda)
	main, dev := conda.MainLabel(), label(t, "dev")
	depends := []string{"ebb >=1!2"}
	flowSays := []string{`tide[when="__unix"]`}
	return []step{
		{"nothing yet", func(*testing.T) {}},
		{"upload", func(t *testing.T) { m.upload(t, tide10, nil) }},
		{"a second name, in another subdir and format", func(t *testing.T) { m.upload(t, ebb20, nil) }},
		{"a second version", func(t *testing.T) { m.upload(t, tide11, nil) }},
		{"the same bytes again", func(t *testing.T) { m.fill(t, m.forge, tide11) }},
		{"yank", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Yank, Reason: "it sinks"}, tide11) }},
		{"undo the yank", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Unyank}, tide11) }},
		{"patch", func(t *testing.T) {
			m.change(t, curate.Change{Kind: curate.Patch, Patch: conda.Patch{Depends: &depends}}, tide10)
		}},
		{"list in a label", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.List, Label: dev}, tide10) }},
		{"move the only file of a name", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Move, Label: main, To: dev}, ebb20) }},
		{"replace", func(t *testing.T) { m.replace(t, tide11other) }},
		{"take the patch off", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Patch}, tide10) }},
		{"take out of a label", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.TakeOut, Label: main}, tide10) }},
		{"list there again", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.List, Label: main}, tide10) }},
		{"delete", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Delete, Reason: "a secret"}, tide11) }},
		{"restore", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Restore}, tide11) }},
		{"upload what needs revision 3", func(t *testing.T) { m.upload(t, flow10, flowSays) }},
		{"yank that", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Yank, Reason: "it leaks"}, flow10) }},
		{"undo that", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Unyank}, flow10) }},
		{"delete the last of a name", func(t *testing.T) { m.change(t, curate.Change{Kind: curate.Delete, Reason: "a secret"}, ebb20, flow10) }},
	}
}

// look is one client, which compares all that it sees with the model.
type look struct {
	client string
	wants  func(t *testing.T)
}

// libraries read every file in one process, commands are programs to start for each look.
func (m *model) libraries() []look {
	return []look{{"Python", m.wantReadInPython}, {"zstd", m.wantTested}}
}
func (m *model) commands() []look {
	return []look{{"rattler", m.wantSearched}, {"Node", m.wantSolvedInNode}}
}
