package web

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"

	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// matrixRows is how many versions the page of a package shows beside the chosen one.
const matrixRows = 12

// pack is a package with all its versions, the highest first.
type pack struct {
	channel.Channel
	name     string
	versions []catalog.Version
	demand
	// latest is the place of the version to show; inside says that the reader is a member of the channel.
	latest int
	inside bool
}

// openPackage finds the package that the address names.
func (s *site) openPackage(r *http.Request) (pack, error) {
	ctx := r.Context()
	ch, err := s.enter(r)
	if err != nil {
		return pack{}, err
	}
	p := pack{Channel: ch, name: r.PathValue("package"), demand: s.demandOf(ch)}
	if conda.CheckName(p.name) != nil {
		return p, s.noPackage(ctx, ch, p.name)
	}
	files, err := s.Catalog.Store.Files(ctx, ch.ID, p.name)
	if err != nil {
		return p, err
	}
	if len(files) == 0 {
		return p, s.noPackage(ctx, ch, p.name)
	}
	p.versions = catalog.Versions(files)
	p.latest = catalog.Latest(p.versions)
	p.inside, err = s.Access.Insider(ctx, caller.From(ctx), ch)
	return p, err
}

// noPackage is the refusal of a name that the channel does not have, with names that may have been meant.
func (s *site) noPackage(ctx context.Context, ch channel.Channel, name string) error {
	near, err := s.near(ctx, []int64{ch.ID}, name)
	if err != nil {
		return err
	}
	shown := fault.OneLine(name, maxShown)
	path := page.ChannelPath(ch.Name.String())
	return &missingError{
		title: "There is no package " + shown + " in " + ch.Name.String(), sentence: "Nothing in this channel has that name.", near: near,
		actions: []page.Action{{Text: "All packages of " + ch.Name.String(), URL: path}},
	}
}

// latest shows a package at the version that clients get.
func (s *site) latest(w http.ResponseWriter, r *http.Request) error {
	p, err := s.openPackage(r)
	if err != nil {
		return err
	}
	return s.showPackage(w, r, p, p.latest, false)
}

// version shows a package at the version that the address names.
func (s *site) version(w http.ResponseWriter, r *http.Request) error {
	p, err := s.openPackage(r)
	if err != nil {
		return err
	}
	i := p.find(r.PathValue("version"))
	if i < 0 {
		return &missingError{
			title:    "There is no version " + fault.OneLine(r.PathValue("version"), maxShown) + " of " + p.name,
			sentence: "The channel " + p.Name.String() + " has other versions of it.",
			actions:  []page.Action{{Text: "All versions of " + p.name, URL: page.VersionsPath(p.Name.String(), p.name)}},
		}
	}
	return s.showPackage(w, r, p, i, true)
}

func (p pack) find(version string) int {
	return slices.IndexFunc(p.versions, func(v catalog.Version) bool { return v.Version == version })
}

func (s *site) showPackage(w http.ResponseWriter, r *http.Request, p pack, i int, pinned bool) error {
	ctx := r.Context()
	rules, err := s.liveRules(ctx, p)
	if err != nil {
		return err
	}
	shown := p.versions[i]
	v := page.PackageView{
		Channel: p.Name.String(), Private: p.Visibility == channel.Private, Name: p.name, Version: shown.Version,
		Latest: p.versions[p.latest].Version, Pinned: pinned, Versions: p.matrix(p.around(i)), VersionTotal: len(p.versions), SeesPublishers: p.inside,
	}
	who := caller.From(ctx)
	if v.MayCurate, err = allowed(s.Access.MayCurate(ctx, who, p.Channel)); err != nil {
		return err
	}
	if v.MayDelete, err = allowed(s.Access.MayManage(ctx, who, p.Channel)); err != nil {
		return err
	}
	v.Summary, v.Said = said(shown.Files)
	history := p.history()
	v.Earlier = earlier(shown, history)
	for _, f := range shown.Files {
		file := p.file(f, fileOrigin(f, p.inside, rules))
		file.StepsBack = p.stepsBack(f, history)
		v.Files = append(v.Files, file)
	}
	if i+1 < len(p.versions) {
		v.Before = &page.Before{Version: p.versions[i+1].Version, Origin: p.usual(p.versions[i+1]), Files: len(p.versions[i+1].Files), Attested: p.attested(p.versions[i+1].Files)}
	}
	if v.Here, err = s.here(ctx, p.ID, shown.Files); err != nil {
		return err
	}
	f := s.frame(r)
	return s.show(w, r, http.StatusOK, f, page.Package(f, v))
}

// liveRules are the ids of the publishers that are still there, for those who may look at them.
func (s *site) liveRules(ctx context.Context, p pack) (map[int64]bool, error) {
	live := map[int64]bool{}
	if !p.inside {
		return live, nil
	}
	list, err := s.Publishers.Store.Publishers(ctx, p.ID)
	for _, rule := range list {
		live[rule.ID] = true
	}
	return live, err
}

// usual is how most files of a version came.
func (p pack) usual(v catalog.Version) page.Origin {
	count := map[page.Origin]int{}
	var most page.Origin
	for _, f := range v.Files {
		o := sourced(origin(f.Run, f.Uploader, p.inside), f.Source)
		if count[o]++; count[o] > count[most] {
			most = o
		}
	}
	return most
}

func (p pack) file(f catalog.File, o page.Origin) page.File {
	out := page.File{
		Subdir: f.Subdir.String(), Name: f.Filename.String(), Size: f.Size, SHA256: hex.EncodeToString(f.SHA256[:]),
		Build: f.Filename.Build(), BuildNumber: f.BuildNumber, Built: f.BuiltAt, Depends: f.Depends, Origin: o, At: f.UploadedAt,
		Patched: f.Patched, RunID: f.Run.RunID,
	}
	for _, a := range f.Attestations {
		out.Attestations = append(out.Attestations, p.signed(a))
	}
	for _, l := range f.Labels {
		out.Labels = append(out.Labels, l.String())
	}
	if f.Yanked() {
		out.Yanked = &page.Yanked{At: f.YankedAt, Reason: f.YankedWhy}
	}
	return out
}

// said is what the files say of themselves; what one leaves out, another may say.
func said(files []catalog.File) (summary string, out page.Said) {
	for _, f := range files {
		summary = cmp.Or(summary, f.About.Summary)
		out.License = cmp.Or(out.License, f.License, f.About.License)
		out.Home = cmp.Or(out.Home, f.About.Home)
		out.Docs = cmp.Or(out.Docs, f.About.DocURL)
		out.Source = cmp.Or(out.Source, f.About.DevURL, f.About.SourceURL)
		if f.BuiltAt.After(out.Built) {
			out.Built = f.BuiltAt
		}
	}
	return summary, out
}

// here says which of the files' dependencies the channel has itself.
func (s *site) here(ctx context.Context, channelID int64, files []catalog.File) (map[string]bool, error) {
	names := map[string]bool{}
	for _, f := range files {
		for _, spec := range f.Depends {
			if name := page.SpecName(spec); name != "" && len(names) < catalog.MaxNames {
				names[name] = true
			}
		}
	}
	found, err := s.Catalog.Store.Packages(ctx, catalog.Query{Channels: []int64{channelID}, Names: slices.Collect(maps.Keys(names)), Limit: catalog.MaxNames})
	clear(names)
	for _, p := range found {
		names[p.Name] = true
	}
	return names, err
}
