package mail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/audit"
	"sluice/internal/fault"
)

// Site is what a mail says of the server that it comes from. All fields are required.
type Site struct {
	// URL is the public address, without a slash at its end.
	URL string
	// Publishers and Audit are the paths of a channel's pages, Account that of one's own account.
	Publishers, Audit func(channel string) string
	Account           string
	// Run is the address of the page of the run that an event is about, or "". It is built from a host that the
	// operator trusts and from parts that were checked.
	Run func(audit.Event) string
}

// Bounds of the parts of a mail, in bytes.
const (
	maxSubject  = 160
	maxSentence = 700
	maxName     = 200
)

// host is the site's host, with its port.
func (s Site) host() string {
	_, host, _ := strings.Cut(s.URL, "://")
	return host
}

// subject says where and what: "[conda.example.com] forge: a trusted publisher was added".
func (s Site) subject(l Letter) string {
	channels := channelsOf(l.Events)
	what := fmt.Sprintf("%d notices", len(l.Events)+l.More)
	if i := slices.IndexFunc(rules(), func(r rule) bool { return r.means(l.Events[0]) }); i >= 0 && len(l.Events)+l.More == 1 {
		what = rules()[i].what
	}
	if len(channels) == 1 && l.More == 0 && !slices.ContainsFunc(l.Events, func(e audit.Event) bool { return e.Channel == "" }) {
		what = channels[0] + ": " + what
	}
	return fault.OneLine("["+s.host()+"] "+what, maxSubject)
}

// channelsOf are the channels that events name, each once.
func channelsOf(events []audit.Event) []string {
	var out []string
	for _, e := range events {
		if e.Channel != "" && !slices.Contains(out, e.Channel) {
			out = append(out, e.Channel)
		}
	}
	return out
}

// body is the text of a mail.
func (s Site) body(l Letter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Hello %s,\n\nthis happened on %s:\n", l.Account, s.URL)
	for _, e := range l.Events {
		s.entry(&b, e)
	}
	if l.More > 0 {
		fmt.Fprintf(&b, "\nand %d more, which the audit log has.\n", l.More)
	}
	b.WriteString("\nWhere to look:\n")
	for _, c := range channelsOf(l.Events) {
		fmt.Fprintf(&b, "  %s%s\n  %s%s\n", s.URL, s.Publishers(c), s.URL, s.Audit(c))
	}
	fmt.Fprintf(&b, "  %s%s\n", s.URL, s.Account)
	fmt.Fprintf(&b, "\nYou get this because %s has this address, and owns what it is about. To get no more mails, remove the\n"+
		"address on %s%s, or ask an administrator of the server.\n", l.Account, s.URL, s.Account)
	return b.String()
}

// entry tells one event. Everything that came from outside stands on one line each.
func (s Site) entry(b *strings.Builder, e audit.Event) {
	fmt.Fprintf(b, "\n  %s\n", s.quote(cmp.Or(e.Sentence, string(e.Kind)), maxSentence))
	about := e.At.UTC().Format("2 Jan 2006 15:04:05") + " UTC, " + s.quote(who(e.Actor), maxName)
	if e.Channel != "" {
		about += ", channel " + s.quote(e.Channel, maxName)
	}
	if e.Code != "" {
		about += ", " + e.Code
	}
	fmt.Fprintf(b, "  %s\n", about)
	if run := s.Run(e); run != "" {
		fmt.Fprintf(b, "  %s\n", run)
	}
}

// quote puts text of others on one line. Programs that show mails make links of what looks like one, so addresses of
// other servers are broken.
func (s Site) quote(text string, most int) string {
	parts := strings.Split(fault.OneLine(text, most), "://")
	scheme, host, _ := strings.Cut(s.URL, "://")
	var b strings.Builder
	for i, p := range parts {
		after, ok := strings.CutPrefix(p, host)
		ours := ok && i > 0 && strings.HasSuffix(parts[i-1], scheme) && (after == "" || after[0] == '/' || after[0] == ' ')
		switch {
		case ours:
			b.WriteString("://")
		case i > 0:
			b.WriteString("[:]//")
		}
		b.WriteString(p)
	}
	return b.String()
}

// who is the actor in words.
func who(a audit.Actor) string {
	switch a.Kind {
	case audit.Publisher:
		return "by " + cmp.Or(a.Means, a.Name, "a run")
	case audit.Operator:
		return "by the operator, " + cmp.Or(a.Means, "on the machine")
	case audit.Anonymous:
		return "by somebody who was not signed in"
	}
	if a.Means == "" {
		return "by " + a.Name
	}
	return "by " + a.Name + ", " + a.Means
}
