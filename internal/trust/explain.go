package trust

import (
	"cmp"
	"fmt"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// explain says why no publisher lets a run publish. cs are the publishers that come near, the nearest first.
// What a publisher wants is told only to a run of that publisher's own repository; everybody else learns no more
// than what their own token says.
func (x *Exchange) explain(run Provenance, cs []comparison) error {
	repo := shown(run.Repository) + " (repository id " + run.RepositoryID + ", owner id " + run.OwnerID + ")"
	switch {
	case len(cs) == 0:
		return refuse(fault.NoPublisher, "No publisher names this repository", "token is of "+repo+
			", which no channel of "+x.cfg.URL+" trusts", "An owner of the channel adds it there, on the channel's page Trusted publishers")
	case cs[0].Proven && cs[0].Granted():
		return cs[0].end
	case cs[0].Proven:
		return x.mismatch(cs)
	case cs[0].Code == fault.OwnerChanged:
		return refuse(fault.OwnerChanged, "Repository has another owner", repo+" belonged to somebody else when its publisher was pinned",
			"An owner of the channel confirms the move there, on the channel's page Trusted publishers at "+x.cfg.URL)
	}
	return refuse(fault.IDMismatch, "Repository is another one", repo+" has the name of a publisher's repository, but not its id; the channel's owners are told",
		"If it was made anew, an owner of the channel removes the publisher at "+x.cfg.URL+" and adds it again")
}

// mismatch tells all differences of the nearest publisher at once, in the order of the form's fields. Values are
// shortened as far as it takes to keep the fix in the sentence.
func (x *Exchange) mismatch(cs []comparison) error {
	nearest := cs[0]
	ds := nearest.Differences()
	code := ds[0].Code
	var list []fault.Difference
	for _, d := range ds {
		list = append(list, fault.Difference{Claim: d.Claim, Got: cut(d.Got, 500), Want: cut(d.Want, 500)})
	}
	for _, width := range []int{shownLen, 60, 40, 25, 12} {
		text := x.mismatchText(code, cs, width)
		if len(text) <= fault.MaxDetail || width == 12 {
			return fault.New(code, "%s", text).With(list)
		}
	}
	panic("unreachable: the last width returns")
}

func (x *Exchange) mismatchText(code fault.Code, cs []comparison, width int) string {
	ds := cs[0].Differences()
	fields, got, want := make([]string, len(ds)), make([]string, len(ds)), make([]string, len(ds))
	for i, d := range ds {
		label := ""
		if len(ds) > 1 {
			label = d.Field + " "
		}
		fields[i], got[i], want[i] = d.Field, label+value(d.Got, width), label+value(d.Want, width)
	}
	does := "does"
	if len(ds) > 1 {
		does = "do"
	}
	whose := "the publisher of channel " + cut(cs[0].Channel.String(), 40)
	if len(cs) > 1 {
		whose = fmt.Sprintf("the nearest of %d publishers, in channel %s,", len(cs), cut(cs[0].Channel.String(), 40))
	}
	what := list(fields, "and")
	return fmt.Sprintf("%s %s not match [%s]: token has %s, %s wants %s. %s.", strings.ToUpper(what[:1])+what[1:], does, code,
		list(got, "and"), whose, list(want, "and"), x.fix(cs[0], width))
}

// address is the page of a publisher.
func (x *Exchange) address(p Publisher) string {
	return fmt.Sprintf("%s/channels/%s/publishers/%d", x.cfg.URL, p.Channel, p.ID)
}

// value is one side of a difference.
func value(s string, width int) string {
	if s == "" {
		return "none"
	}
	return cut(s, width)
}

// fix says what to do: the first hint, and where to change the rule if a rule could allow it. When room is scarce
// the address is worth more than the hint.
func (x *Exchange) fix(c comparison, width int) string {
	hint, final := "", true
	for _, d := range c.Differences() {
		hint, final = cmp.Or(hint, d.Hint), final && d.Final
	}
	hint = cut(hint, 160)
	if final {
		return hint
	}
	at := " the publisher at " + x.address(c.Publisher)
	if hint == "" || width < 40 {
		return "Change" + at
	}
	return hint + ". Or change" + at
}

// unknownIssuer refuses a token of an issuer that is not configured, without asking anybody about it.
func (x *Exchange) unknownIssuer(got string) error {
	var known []string
	do := "Its operator may trust it, too, by adding " + x.providerOf(got) + "-NAME=" + shown(got) + " to the setting issuer"
	if badIssuerURL(got) != "" || strings.ContainsFunc(got, func(r rune) bool { return r > '~' }) {
		do = "No issuer has such an address: use a token straight from the CI service"
	}
	for _, is := range x.cfg.Issuers {
		known = append(known, is.URL)
		if strings.TrimRight(foldASCII(got), "/") == foldASCII(is.URL) {
			do = "The spelling must be exactly " + is.URL
		}
	}
	return refuse(fault.UnknownIssuer, "Issuer is not known", "token comes from "+shown(got)+", the server at "+x.cfg.URL+
		" trusts "+cut(list(known, "and"), 160), do)
}

// providerOf guesses the kind of an issuer for the operator's setting: that of a configured one above it, else the one
// that its address looks like.
func (x *Exchange) providerOf(issuer string) string {
	name := provider.Likely(issuer)
	for _, is := range x.cfg.Issuers {
		if strings.HasPrefix(issuer, is.URL+"/") {
			name = is.Provider.Traits().Name
		}
	}
	return name
}
