package web

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/config"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// dateLayout is how browsers send a date.
const dateLayout = time.DateOnly

// fullSpec is what the fields of the whole rule ask for. Its error is fault.InvalidField, with all the numbers and dates
// that cannot be read; the spec beside it then lacks them.
func (s *site) fullSpec(fields url.Values) (trust.PublisherSpec, error) {
	ticked := func(name string) bool { return fields.Get(name) == "true" }
	out := s.spec(fields)
	out.AnyRepository, out.Right, out.Subdirs = ticked("any_repository"), fields.Get("right"), []string{fields.Get("subdirs")}
	out.Conditions = trust.Conditions{
		Environment: fields.Get("environment"), Refs: strings.Split(fields.Get("refs"), "\n"), ProtectedRef: ticked("protected_ref"),
		Events:       strings.FieldsFunc(fields.Get("events"), func(r rune) bool { return strings.ContainsRune(" ,\r\n\t", r) }),
		HostedRunner: ticked("hosted_runner"), Reusable: fields.Get("reusable"),
	}
	out.NewNames = new(ticked("new_names"))
	out.Demand = policy.Demand{Attestations: policy.Mode(fields.Get("attestations")), Signer: policy.Signers(fields.Get("signer"))}
	n := numbers{fields: fields}
	out.PerRun = trust.Limits{Files: n.whole("files_per_run"), Bytes: n.bytes("bytes_per_run"), Names: n.whole("new_names_per_run")}
	out.IdleDays, out.ExpiresAt = int(n.whole("idle_days")), n.date("expires_at")
	return out, n.err()
}

// numbers reads the fields that are no text, and notes those that cannot be read.
type numbers struct {
	fields url.Values
	bad    []fault.Difference
}

func (n *numbers) wrong(name, want string) {
	n.bad = append(n.bad, fault.Difference{Claim: name, Got: fault.OneLine(n.fields.Get(name), maxShown), Want: want})
}

// whole reads a number from 1; empty is 0, the usual.
func (n *numbers) whole(name string) int64 {
	text := strings.ReplaceAll(strings.TrimSpace(n.fields.Get(name)), ",", "")
	if text == "" {
		return 0
	}
	v, err := strconv.ParseInt(text, 10, 32)
	if err != nil || v < 1 {
		n.wrong(name, "a whole number from 1, or nothing for the usual")
		return 0
	}
	return v
}

func (n *numbers) bytes(name string) int64 {
	text := strings.TrimSpace(n.fields.Get(name))
	if text == "" {
		return 0
	}
	v, err := config.ParseBytes(text)
	if err != nil || v < 1 {
		n.wrong(name, "a size such as 50GiB or 500MB, or nothing for the usual")
		return 0
	}
	return int64(v)
}

func (n *numbers) date(name string) time.Time {
	text := strings.TrimSpace(n.fields.Get(name))
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(dateLayout, text)
	if err != nil {
		n.wrong(name, "a date such as 2027-12-31, or nothing for no end")
	}
	return t
}

func (n *numbers) err() error {
	if len(n.bad) == 0 {
		return nil
	}
	return fault.New(fault.InvalidField, "%s needs %s.", n.bad[0].Claim, n.bad[0].Want).With(n.bad)
}

// ruleSent is the whole form as it was sent.
func (s *site) ruleSent(fields url.Values) page.RuleForm {
	f := s.emptyRule(fields)
	for name, into := range f.Named() {
		into.Value = fields.Get(name)
	}
	if f.Issuer.Value == "" && len(f.Issuers) > 0 {
		f.Issuer.Value = f.Issuers[0].Value
	}
	return f
}

// emptyRule is the whole form of a service with nothing in it but what is usual.
func (s *site) emptyRule(fields url.Values) page.RuleForm {
	t := s.chosenService(fields).traits
	usual := trust.DefaultLimits()
	return page.RuleForm{
		PublisherForm: s.sent(fields),
		Tells:         page.Tells{OwnerWide: t.OwnerWide, Refs: t.Refs, ProtectedRefs: t.ProtectedRefs, Events: len(t.Events) > 0, Hosted: t.Hosted != "", Reusable: t.Reusable},
		SafeEvents:    t.Events, Risky: risky(t), NewNames: field("true"), Right: field(string(trust.Publish)),
		Files: field(fmt.Sprint(usual.Files)), Bytes: field(config.Bytes(usual.Bytes).String()), Names: field(fmt.Sprint(usual.Names)),
	}
}

// risky groups the events that are not safe by why they are not.
func risky(t provider.Traits) []page.RiskyEvents {
	var out []page.RiskyEvents
	for _, name := range slices.Sorted(maps.Keys(t.Risky)) {
		i := slices.IndexFunc(out, func(r page.RiskyEvents) bool { return r.Why == t.Risky[name] })
		if i < 0 {
			out = append(out, page.RiskyEvents{Why: t.Risky[name]})
			i = len(out) - 1
		}
		out[i].Names = append(out[i].Names, name)
	}
	return out
}

// ruleOf is the whole form as a publisher fills it in.
func (s *site) ruleOf(o service, p trust.Publisher) page.RuleForm {
	f := s.emptyRule(o.fieldsOf(p.Rule))
	ticked := func(on bool) page.Field { return field(map[bool]string{true: "true"}[on]) }
	f.AnyRepository, f.Protected, f.Hosted, f.NewNames = ticked(p.AnyRepository), ticked(p.ProtectedRef), ticked(p.HostedRunner), ticked(p.NewNames)
	f.Environment, f.Reusable, f.Right = field(p.Environment), field(p.Reusable), field(string(p.Right))
	f.Refs, f.Events = field(strings.Join(p.Refs, "\n")), field(strings.Join(p.Events, "\n"))
	f.Packages, f.Subdirs = field(strings.Join(patterns(p), ", ")), field(strings.Join(subdirs(p.Subdirs), ", "))
	f.Files, f.Bytes, f.Names = field(fmt.Sprint(p.PerRun.Files)), field(config.Bytes(p.PerRun.Bytes).String()), field(fmt.Sprint(p.PerRun.Names))
	f.Attestations, f.Signer = field(string(p.Demand.Attestations)), field(string(p.Demand.Signer))
	if !p.ExpiresAt.IsZero() {
		f.Expires = field(p.ExpiresAt.Format(dateLayout))
	}
	if p.IdleDays != 0 {
		f.IdleDays = field(strconv.Itoa(p.IdleDays))
	}
	return f
}
