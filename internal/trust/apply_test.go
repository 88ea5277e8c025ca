package trust

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// shelf is a PublisherStore that keeps publishers as they come: whether rules may stand side by side is the database's
// to say, which has its own suite.
type shelf struct {
	have  []Publisher
	kinds []ChangeKind // what was asked for last
}

func (s *shelf) Publishers(context.Context, int64) ([]Publisher, error) {
	return slices.Clone(s.have), nil
}

func (s *shelf) Publisher(_ context.Context, _, id int64) (Publisher, error) {
	if i := s.index(id); i >= 0 {
		return s.have[i], nil
	}
	return Publisher{}, fault.New(fault.NotFound, "no publisher %d", id)
}

func (s *shelf) index(id int64) int {
	return slices.IndexFunc(s.have, func(p Publisher) bool { return p.ID == id })
}

func (s *shelf) ReplacePublishers(ctx context.Context, channelID int64, state string, changes []Change) ([]Publisher, error) {
	if StateOf(s.have) != state {
		return nil, fault.New(fault.Conflict, "changed")
	}
	return s.ChangePublishers(ctx, channelID, changes)
}

func (s *shelf) ChangePublishers(_ context.Context, _ int64, changes []Change) ([]Publisher, error) {
	s.kinds = nil
	var after []Publisher
	for _, c := range changes {
		s.kinds = append(s.kinds, c.Kind)
		p := c.Publisher
		switch c.Kind {
		case Added:
			p.ID = int64(len(s.have) + 100)
			s.have = append(s.have, p)
		case Changed:
			p.Version++
			s.have[s.index(p.ID)] = p
		case Removed:
			s.have = slices.Delete(s.have, s.index(p.ID), s.index(p.ID)+1)
		}
		after = append(after, p)
	}
	return after, nil
}

// roster is a channel's publishers as a file has them, and the people who change them.
type roster struct {
	*Publishers
	t     *testing.T
	shelf *shelf
	clock *clock
	ch    channel.Channel
}

var mara = audit.Actor{Kind: audit.User, Name: "mara"}

func newRoster(t *testing.T, specs ...PublisherSpec) *roster {
	t.Helper()
	l := &roster{t: t, shelf: &shelf{}, clock: newClock(), ch: channel.Channel{ID: 7, Name: forge(t)}}
	l.Publishers = &Publishers{Store: l.shelf, Issuers: issuers(t, "", "https://ghes.example/_services/token"), Now: l.clock.now}
	for i, s := range specs {
		p, err := l.Read(mara, l.ch, s)
		if err != nil {
			t.Fatal(err)
		}
		p.ID = int64(i + 1)
		l.shelf.have = append(l.shelf.have, p)
	}
	return l
}

func (l *roster) plan(specs ...PublisherSpec) Plan {
	l.t.Helper()
	p, err := l.Plan(l.t.Context(), mara, l.ch, specs)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// told is a plan in short: "+ acme/forge, ~ 1 environment: → release, - 2, 1 kept".
func told(p Plan) string {
	var out []string
	for _, s := range p.Steps {
		switch s.Kind {
		case Added:
			out = append(out, "+ "+s.After.FullName())
		case Removed:
			out = append(out, fmt.Sprintf("- %d", s.Before.ID))
		case Changed:
			line := fmt.Sprintf("~ %d", s.Before.ID)
			for _, d := range s.Differences() {
				line += fmt.Sprintf(" %s: %s → %s", d.Field, d.Before, d.After)
			}
			out = append(out, line)
		}
	}
	return strings.Join(append(out, fmt.Sprintf("%d kept", p.Kept)), ", ")
}

var build = PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"}

// but is build, changed.
func but(change func(s *PublisherSpec)) PublisherSpec {
	s := build
	change(&s)
	return s
}

func TestPlan(t *testing.T) {
	t.Parallel()
	release := but(func(s *PublisherSpec) { s.Conditions.Environment = "release" })
	tide := but(func(s *PublisherSpec) { s.Repository = "tide" })
	reads := but(func(s *PublisherSpec) { s.Right = "read" })
	end := newClock().now().Add(time.Hour)
	for _, tt := range []struct {
		name       string
		have, want []PublisherSpec
		plan       string
	}{
		{"nothing", nil, nil, "0 kept"},
		{"the same", []PublisherSpec{build, tide}, []PublisherSpec{tide, build}, "2 kept"},
		{"the same in other words", []PublisherSpec{build}, []PublisherSpec{{Repository: "https://github.com/Acme/forge", Workflow: ".github/workflows/build.yml", Right: "publish"}}, "1 kept"},
		{"added", []PublisherSpec{build}, []PublisherSpec{build, tide}, "+ acme/tide, 1 kept"},
		{"removed", []PublisherSpec{build, tide}, []PublisherSpec{tide}, "- 1, 1 kept"},
		{"changed", []PublisherSpec{build}, []PublisherSpec{release}, "~ 1 environment:  → release, 0 kept"},
		{"the same rule goes before the same file", []PublisherSpec{build, release}, []PublisherSpec{release}, "- 1, 1 kept"},
		{"one more of the same file", []PublisherSpec{build}, []PublisherSpec{release, build}, "+ acme/forge, 1 kept"},
		{"another right is another publisher", []PublisherSpec{build}, []PublisherSpec{reads}, "+ acme/forge, - 1, 0 kept"},
		{"another issuer is another publisher", []PublisherSpec{build}, []PublisherSpec{but(func(s *PublisherSpec) { s.Issuer = "https://ghes.example/_services/token" })}, "+ acme/forge, - 1, 0 kept"},
		{"another file is another publisher", []PublisherSpec{build}, []PublisherSpec{but(func(s *PublisherSpec) { s.Workflow = "x.yml" })}, "+ acme/forge, - 1, 0 kept"},
		{"every field", []PublisherSpec{build}, []PublisherSpec{but(func(s *PublisherSpec) {
			s.Conditions = Conditions{Environment: "e", Refs: []string{"refs/heads/a", "refs/heads/b"}, ProtectedRef: true, Events: []string{"push"}, HostedRunner: true, Reusable: "acme/shared/.github/workflows/p.yml"}
			s.Packages, s.Subdirs, s.NewNames, s.PerRun = []string{"a", "b*"}, []string{"noarch"}, new(false), Limits{Files: 1, Bytes: 2, Names: 3}
			s.ExpiresAt, s.IdleDays, s.OwnerID, s.RepositoryID = end, 9, "5", "6"
		})}, "~ 1 repository_owner_id:  → 5 repository_id:  → 6 environment:  → e refs:  → refs/heads/a, refs/heads/b protected_ref: false → true events:  → push" +
			" hosted_runner: false → true reusable:  → acme/shared/.github/workflows/p.yml packages:  → a, b* subdirs:  → noarch new_names: true → false" +
			" files_per_run: 500 → 1 bytes_per_run: 53687091200 → 2 new_names_per_run: 50 → 3 expires_at:  → 2026-11-23T15:06:09Z idle_days: 0 → 9, 0 kept"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newRoster(t, tt.have...)
			p := l.plan(tt.want...)
			if got := told(p); got != tt.plan {
				t.Errorf("plan:\n%s\nwant\n%s", got, tt.plan)
			}
			if _, err := l.Apply(t.Context(), mara, l.ch, p); err != nil {
				t.Fatal(err)
			}
			if again := l.plan(tt.want...); len(again.Steps) != 0 || again.Kept != len(tt.want) {
				t.Errorf("afterwards: %s", told(again))
			}
		})
	}
}

func TestPlanKeepsWhatTheListDoesNotName(t *testing.T) {
	t.Parallel()
	l := newRoster(t, build)
	p := &l.shelf.have[0]
	p.OwnerID, p.RepositoryID, p.LastUsedAt, p.DisabledAt, p.Version, p.CreatedBy = "9", "71", l.clock.now(), l.clock.now(), 4, "ann"
	if got := told(l.plan(build)); got != "1 kept" {
		t.Errorf("a list without ids: %s", got)
	}
	change := l.plan(but(func(s *PublisherSpec) { s.Packages = []string{"tide"} }))
	if got := told(change); got != "~ 1 packages:  → tide, 0 kept" {
		t.Errorf("a change without ids: %s", got)
	}
	want := l.shelf.have[0]
	done, err := l.Apply(t.Context(), mara, l.ch, change)
	if err != nil {
		t.Fatal(err)
	}
	want.Packages, want.Version = done.Steps[0].After.Packages, 5
	if d := cmp.Diff(want, l.shelf.have[0], cmp.Exporter(func(reflect.Type) bool { return true })); d != "" {
		t.Errorf("changed more than the packages:\n%s", d)
	}
	// Other ids are another repository, and said so.
	if got := told(l.plan(but(func(s *PublisherSpec) { s.Packages, s.RepositoryID = []string{"tide"}, "72" }))); got != "~ 1 repository_id: 71 → 72, 0 kept" {
		t.Errorf("another id: %s", got)
	}
	// A run has brought a new name; the file still has the old one, with the ids.
	l.shelf.have[0].Repository = "smithy"
	if got := told(l.plan(but(func(s *PublisherSpec) { s.Packages, s.RepositoryID, s.OwnerID = []string{"tide"}, "71", "9" }))); got != "~ 1 repository: smithy → forge, 0 kept" {
		t.Errorf("the old name with the ids: %s", got)
	}
	if got := told(l.plan(but(func(s *PublisherSpec) { s.Packages = []string{"tide"} }))); got != "+ acme/forge, - 1, 0 kept" {
		t.Errorf("the old name without ids: %s", got)
	}
}

// An end that has passed may stand in a list where the publisher has it, and nowhere else.
func TestPlanOfAnEndedPublisher(t *testing.T) {
	t.Parallel()
	ending := but(func(s *PublisherSpec) { s.ExpiresAt = newClock().now().Add(time.Hour) })
	l := newRoster(t, ending)
	l.clock.advance(2 * time.Hour)
	if got := told(l.plan(ending)); got != "1 kept" {
		t.Errorf("as it is: %s", got)
	}
	if got := told(l.plan(build)); got != "~ 1 expires_at: 2026-11-23T15:06:09Z → , 0 kept" {
		t.Errorf("without its end: %s", got)
	}
	for name, s := range map[string]PublisherSpec{
		"another rule":     but(func(s *PublisherSpec) { s.ExpiresAt, s.Repository = ending.ExpiresAt, "tide" }),
		"another past end": but(func(s *PublisherSpec) { s.ExpiresAt = ending.ExpiresAt.Add(time.Minute) }),
	} {
		if _, err := l.Plan(t.Context(), mara, l.ch, []PublisherSpec{s}); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlanRefusesAWholeList(t *testing.T) {
	t.Parallel()
	l := newRoster(t)
	bad := but(func(s *PublisherSpec) { s.Workflow = "x" })
	_, err := l.Plan(t.Context(), mara, l.ch, []PublisherSpec{bad, build, {Repository: "a b/c", Workflow: "b.yml"}, but(func(s *PublisherSpec) { s.Owner = "ACME" })})
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != fault.InvalidField {
		t.Fatalf("= %v", err)
	}
	for _, want := range []string{"publisher 1: workflow x needs", " publisher 3: ", " publisher 4: it is there twice."} {
		if !strings.Contains(f.Detail, want) {
			t.Errorf("no %q in %s", want, f.Detail)
		}
	}
	if strings.Contains(f.Detail, "publisher 2") || f.Differences[0].Claim != "publishers[0].workflow" {
		t.Errorf("%s %v", f.Detail, f.Differences)
	}
	many := make([]PublisherSpec, MaxPublishers+1)
	if _, err := l.Plan(t.Context(), mara, l.ch, many); !fault.Is(err, fault.InvalidField) || !strings.Contains(err.Error(), "at most 1000") {
		t.Errorf("too many: %v", err)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	tide := but(func(s *PublisherSpec) { s.Repository = "tide" })
	l := newRoster(t, build, tide)
	p := l.plan(but(func(s *PublisherSpec) { s.Repository = "ebb" }), but(func(s *PublisherSpec) { s.Packages = []string{"forge"} }))
	done, err := l.Apply(t.Context(), mara, l.ch, p)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]ChangeKind{Removed, Changed, Added}, l.shelf.kinds); d != "" {
		t.Errorf("order: %s", d)
	}
	if got := told(done); got != "+ acme/ebb, ~ 1 packages:  → forge, - 2, 0 kept" || done.Steps[0].After.ID == 0 || done.Steps[1].After.Version != 2 {
		t.Errorf("told: %s, %+v", got, done.Steps)
	}
	if p.Steps[0].After.ID != 0 {
		t.Error("the plan that was handed in is changed")
	}
	if _, err := l.Apply(t.Context(), mara, l.ch, p); !fault.Is(err, fault.Conflict) {
		t.Errorf("an old plan: %v", err)
	}
	l.shelf.kinds = nil
	if _, err := l.Apply(t.Context(), mara, l.ch, Plan{Kept: 2, State: "any"}); err != nil || l.shelf.kinds != nil {
		t.Errorf("a plan of nothing: %v, %v", err, l.shelf.kinds)
	}
}

func TestStateOf(t *testing.T) {
	t.Parallel()
	base := []Publisher{{ID: 1, Version: 1, Rule: Rule{Owner: "a", Repository: "b"}}}
	seen := map[string]bool{StateOf(nil): true}
	for _, change := range []func(p *Publisher){
		func(*Publisher) {}, func(p *Publisher) { p.ID++ }, func(p *Publisher) { p.Version++ }, func(p *Publisher) { p.Repository = "c" },
		func(p *Publisher) { p.OwnerID = "5" }, func(p *Publisher) { p.RepositoryID = "5" },
	} {
		list := slices.Clone(base)
		change(&list[0])
		if s := StateOf(list); seen[s] || len(s) != 32 {
			t.Errorf("%+v: state %q", list, s)
		} else {
			seen[s] = true
		}
	}
	base[0].LastUsedAt = time.Now()
	if !seen[StateOf(base)] {
		t.Error("use is no change")
	}
}
