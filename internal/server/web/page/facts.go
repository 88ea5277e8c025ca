package page

import "slices"

// checked is what this server itself knows of the version.
func (v PackageView) checked() []fact {
	var list []fact
	for _, g := range v.groups() {
		list = append(list, g.origin.checked(v.Channel)...)
	}
	list = append(list, known("By CI", number(v.byCI())+" of "+count(len(v.Files), "file")))
	list = append(list, known("Attested", number(v.attested())+" of "+count(len(v.Files), "file")))
	if v.Before != nil && v.same() && v.lost() == "" {
		list = append(list, known("Before this", show(v.Before.Version)+" came the same way"))
	}
	return list
}

// same says that every file came the way of the version before.
func (v PackageView) same() bool {
	return !slices.ContainsFunc(v.Files, func(f File) bool { return f.Origin.change(v.Before.Origin, "") != "" })
}

func (o Origin) checked(channel string) []fact {
	if o.ByCI() {
		return []fact{
			{"Repository", []span{link(show(o.Run.Repository), o.Run.RepositoryURL)}},
			{"Workflow", []span{link(show(o.Run.Workflow), o.Run.WorkflowURL)}},
		}
	}
	if o.isImport() {
		return []fact{{"Imported from", []span{o.from()}}}
	}
	return []fact{known("Repository", "not known"), known("Uploader", o.who(channel))}
}

// facts is what the package says of itself.
func (s Said) facts() []fact {
	var list []fact
	if s.License != "" {
		list = append(list, known("License", show(s.License)))
	}
	for _, a := range []struct{ label, address string }{{"Home", s.Home}, {"Docs", s.Docs}, {"Source", s.Source}} {
		if a.address != "" {
			list = append(list, fact{a.label, []span{link(show(short(a.address)), a.address)}})
		}
	}
	if !s.Built.IsZero() {
		list = append(list, known("Built", minute(s.Built)))
	}
	return list
}

// uploadedBy is everything that the server knows of how a file came.
func (f File) uploadedBy(v PackageView) []fact {
	at := known("Time", stamp(f.At))
	if f.Origin.isImport() {
		return []fact{{"Imported from", []span{f.Origin.from()}}, known("Repository", "not known"), at}
	}
	if !f.Origin.ByCI() {
		list := []fact{known("Person", f.Origin.who(v.Channel))}
		if f.Origin.Token != "" {
			list = append(list, fact{"API token", []span{{text: show(f.Origin.Token), style: mono}}})
		}
		return append(list, known("Repository", "not known"), at)
	}
	r := f.Origin.Run
	list := []fact{{"Trusted publisher", []span{r.publisher(v)}}, {"Repository", r.repository()}}
	if t := r.trigger(); t != nil {
		list = append(list, fact{"Trigger", t})
	}
	return append(list, known("Environment", r.environment()), known("Runner", runnerWords(r.Runner)), at)
}

func (r Run) publisher(v PackageView) span {
	s := words(show(r.Repository) + ", " + show(r.Workflow))
	if v.SeesPublishers && r.Publisher != "" {
		s.url = PublisherPath(v.Channel, r.Publisher)
	}
	return s
}

func (r Run) repository() []span {
	s := []span{link(show(r.Repository), r.RepositoryURL)}
	if r.RepositoryID != "" {
		s = append(s, words(" id "+show(r.RepositoryID)))
	}
	return s
}

func (r Run) trigger() []span {
	switch {
	case r.Event != "" && r.Ref != "":
		return []span{words(show(r.Event) + " of "), {text: show(r.Ref), style: mono}}
	case r.Event != "":
		return []span{words(show(r.Event))}
	}
	return nil
}

func (r Run) environment() string {
	if r.Environment == "" {
		return "none"
	}
	return show(r.Environment)
}

// said is what the package says of this file.
func (f File) said() []fact {
	list := []fact{
		{"Build", []span{{text: show(f.Build), style: mono}}},
		known("Build number", number(int64(min(f.BuildNumber, 1<<62)))),
	}
	if !f.Built.IsZero() {
		list = append(list, known("Built", stamp(f.Built)))
	}
	return append(list, known("Needs", count(len(f.Depends), "package")))
}

// channelSays is what the channel says of this file beside what the package says itself.
func (f File) channelSays() []fact {
	var list []fact
	if f.Yanked != nil {
		list = append(list, known("Yanked", minute(f.Yanked.At)), known("Why", show(f.Yanked.Reason)))
	}
	if len(f.Labels) > 0 && !f.plainlyListed() {
		var s []span
		for i, l := range f.Labels {
			if i > 0 {
				s = append(s, words(", "))
			}
			s = append(s, span{text: show(l), style: mono})
		}
		list = append(list, fact{"Labels", s})
	}
	if f.Patched {
		list = append(list, known("Corrected", "The index says other than the package, for instance of what it needs."))
	}
	return list
}

// plainlyListed says that the file is where every reader looks, and nowhere else.
func (f File) plainlyListed() bool { return len(f.Labels) == 1 && f.Labels[0] == mainLabel }

// address is the label at whose address the file is fetched; empty for the channel's own.
func (f File) address() string {
	if len(f.Labels) == 0 || slices.Contains(f.Labels, mainLabel) {
		return ""
	}
	return f.Labels[0]
}

// mainLabel is what a channel's plain address shows.
const mainLabel = "main"
