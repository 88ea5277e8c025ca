package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// place is a channel with what its pages show of it around their own content.
type place struct {
	channel.Channel
	head   page.ChannelHead
	totals catalog.Totals
	rules  []trust.Publisher
	// inside says that the reader is a member, owner that the reader may change it.
	inside, owner bool
}

// look reads what every page of a channel shows.
func (s *site) look(ctx context.Context, ch channel.Channel) (place, error) {
	p := place{Channel: ch}
	who := caller.From(ctx)
	var err error
	if p.totals, err = s.Catalog.Store.Totals(ctx, ch.ID); err != nil {
		return p, err
	}
	if p.rules, err = s.Publishers.Store.Publishers(ctx, ch.ID); err != nil {
		return p, err
	}
	if p.inside, err = s.Access.Insider(ctx, who, ch); err != nil {
		return p, err
	}
	if p.owner, err = allowed(s.Access.MayManage(ctx, who, ch)); err != nil {
		return p, err
	}
	audits, err := allowed(s.Access.MayAudit(ctx, who, ch))
	p.head = page.ChannelHead{
		Name: ch.Name.String(), Description: ch.Description, Private: ch.Visibility == channel.Private,
		Packages: p.totals.Packages, Publishers: len(p.rules), SeesPublishers: p.inside, SeesAudit: audits, MayManage: p.owner,
	}
	if err != nil {
		return p, err
	}
	p.head.SeesFiles, err = allowed(s.Access.MayCurate(ctx, who, ch))
	return p, err
}

// perPage is how many rows a list of packages has.
const perPage = 50

func (s *site) channel(w http.ResponseWriter, r *http.Request) error {
	ch, err := s.enter(r)
	if err != nil {
		return err
	}
	ask, err := packageQuery(r, ch)
	if err != nil {
		return err
	}
	p, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	v := page.ChannelView{
		Head: p.head, Filter: page.PackageFilter{Text: ask.Text, Subdir: ask.Subdir, Subdirs: p.totals.Subdirs, By: ask.By},
		Artifacts: p.totals.Artifacts, Bytes: p.totals.Bytes, ByCI: p.totals.ByCI, Attested: p.totals.Attested, Imported: p.totals.Imported,
		Publishers: briefly(p.rules), MayManage: p.owner,
	}
	if v.Packages, v.Paging, err = s.packages(r.Context(), []channel.Channel{ch}, ask, func(last catalog.Package) string {
		q := v.Filter.Query()
		q.Set("after", last.Name)
		return page.ChannelPath(p.head.Name) + "?" + q.Encode()
	}); err != nil {
		return err
	}
	if v.Paging.From != 1 {
		v.Paging.First = withQuery(page.ChannelPath(p.head.Name), v.Filter.Query())
	}
	if err := s.fillSide(r.Context(), p, &v); err != nil {
		return err
	}
	f := s.frame(r)
	return s.show(w, r, http.StatusOK, f, page.Channel(f, v))
}

// fillSide adds what stands beside the list.
func (s *site) fillSide(ctx context.Context, p place, v *page.ChannelView) error {
	const last = 5
	recent, err := s.Catalog.Recent(ctx, []channel.Channel{p.Channel}, last)
	if err != nil {
		return err
	}
	for _, r := range recent {
		v.Recent = append(v.Recent, release(r, p.inside, s.demandOf(p.Channel)))
	}
	if len(recent) > 0 {
		v.Example = recent[0].Name
	}
	labels, err := s.Catalog.Store.Labels(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, l := range labels {
		if l.Files+l.Yanked > 0 {
			v.Labels = append(v.Labels, page.Label{Name: l.Name.String(), Files: l.Files, Yanked: l.Yanked})
		}
	}
	keys, err := s.Access.UploadKeys(ctx, p.Channel)
	if err != nil {
		return err
	}
	v.Keys = &keys
	role, err := s.Access.Role(ctx, caller.From(ctx), p.Channel)
	v.MayUpload = role.AtLeast(channel.Maintainer)
	return err
}

// packageQuery reads the filter of a channel's list out of the address.
func packageQuery(r *http.Request, ch channel.Channel) (catalog.Query, error) {
	q, err := query(r)
	if err != nil {
		return catalog.Query{}, err
	}
	ask := catalog.Query{
		Channels: []int64{ch.ID}, Text: strings.TrimSpace(q.Get("q")), Subdir: q.Get("subdir"), By: q.Get("by"),
		After: q.Get("after"), AfterChannel: ch.Name.String(), Limit: perPage + 1,
	}
	if _, err := conda.ParseSubdir(ask.Subdir); ask.Subdir != "" && err != nil {
		return ask, fault.Wrap(err, fault.BadRequest, "%v", err)
	}
	if ask.By != "" && ask.By != "ci" && ask.By != "token" && ask.By != "import" {
		return ask, fault.New(fault.BadRequest, "A list can be narrowed to what came by CI (ci), with an API token (token) or by an import (import).")
	}
	return ask, nil
}

// packages reads one page of a list of the channels' packages. next makes the address of the page after the last row.
func (s *site) packages(ctx context.Context, in []channel.Channel, ask catalog.Query, next func(last catalog.Package) string) ([]page.PackageRow, page.Paging, error) {
	ask.Signatures = true
	found, err := s.Catalog.Store.Packages(ctx, ask)
	if err != nil {
		return nil, page.Paging{}, err
	}
	paging, err := s.paging(ctx, ask, min(len(found), perPage))
	if err != nil {
		return nil, page.Paging{}, err
	}
	if len(found) > perPage {
		found = found[:perPage]
		paging.Next = next(found[perPage-1])
	}
	return s.rows(in, found), paging, nil
}

// rows are packages of the channels as lists show them.
func (s *site) rows(in []channel.Channel, found []catalog.Package) []page.PackageRow {
	demands := s.demandsOf(in)
	rows := make([]page.PackageRow, len(found))
	for i, p := range found {
		rows[i] = row(p, demands[p.Channel])
	}
	return rows
}

// paging counts where in the whole list a page stands. What is not known for certain is left out.
func (s *site) paging(ctx context.Context, ask catalog.Query, shown int) (page.Paging, error) {
	left, err := s.Catalog.Store.Count(ctx, ask)
	if err != nil {
		return page.Paging{}, err
	}
	total := left
	if ask.After != "" {
		whole := ask
		whole.After = ""
		if total, err = s.Catalog.Store.Count(ctx, whole); err != nil {
			return page.Paging{}, err
		}
	}
	p := page.Paging{Total: min(total, catalog.MaxCount), AtLeast: total > catalog.MaxCount}
	if ask.After == "" || !p.AtLeast {
		p.From = total - left + 1
		p.To = p.From + shown - 1
	}
	return p, nil
}

// withQuery is a path with its fields, if there are any.
func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// briefly lists publishers for readers who may know repository and file only, the last used first.
func briefly(rules []trust.Publisher) []page.Publisher {
	rules = slices.Clone(rules)
	slices.SortStableFunc(rules, func(a, b trust.Publisher) int { return b.LastUsedAt.Compare(a.LastUsedAt) })
	out := make([]page.Publisher, len(rules))
	for i, p := range rules {
		out[i] = page.Publisher{Repository: p.FullName(), Workflow: p.Workflow, Weak: p.Weak(), LastUsed: p.LastUsedAt, LastRun: runNumber(p.LastRun)}
	}
	return out
}
