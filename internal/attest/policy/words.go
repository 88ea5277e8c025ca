package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Term is one setting of a policy, as people read it.
type Term struct {
	// Field is its name in JSON, Name what people call it, Value what it is set to, in words.
	Field, Name, Value string
}

// Terms are the settings but for the denials, in the order of the form.
func (p Policy) Terms() []Term {
	return []Term{
		{"mode", "Attestations", p.modeWords()},
		{"signer", "Signer", signerWords[p.Signer]},
		{"target_channel", "Made for", targetWords[p.Target]},
		{"aliases", "Other addresses of the channel", listed(p.Aliases, "none")},
		{"allow_absent", "Made for no channel in particular", either(p.AllowAbsent, "taken", "refused")},
		{"instances", "Sigstore instances", listed(p.Instances, "all that the server counts")},
		{"no_regress", "A file without one after files that have one", regressWords[p.NoRegress]},
		{"other_statements", "Other statements beside them", either(p.OtherStatements, "taken", "refused")},
	}
}

func (p Policy) modeWords() string {
	if p.Mode == RequiredFor {
		return "required for " + strings.Join(p.RequiredFor, ", ")
	}
	return string(p.Mode)
}

var (
	signerWords = map[Signers]string{
		SignedByRun: "the run that uploads", SignedByPublisher: "any run of a trusted publisher", SignedByAnybody: "any CI job",
	}
	targetWords = map[Targets]string{
		TargetExact: "this channel at its public address", TargetListed: "this channel, also at its other addresses", TargetIgnored: "any channel",
	}
	regressWords = map[Regress]string{
		RegressAllowed: "taken", RegressWarned: "taken, with a warning", RegressRefused: "refused",
	}
)

// Changes are the differences between two policies, each as the end of a sentence.
func Changes(before, after Policy) []string {
	var out []string
	was := before.Terms()
	for i, now := range after.Terms() {
		if now.Value != was[i].Value {
			out = append(out, fmt.Sprintf("%s: %s, before %s", strings.ToLower(now.Name[:1])+now.Name[1:], now.Value, was[i].Value))
		}
	}
	for _, d := range after.Denied {
		if !slices.ContainsFunc(before.Denied, d.Equal) {
			out = append(out, "denied "+d.Words()+": "+d.String())
		}
	}
	for _, d := range before.Denied {
		if !slices.ContainsFunc(after.Denied, d.Equal) {
			out = append(out, "no longer denied "+d.Words())
		}
	}
	return out
}

// Words say which signatures a denial means.
func (d Denial) Words() string {
	var parts []string
	say := func(on bool, format string, args ...any) {
		if on {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	say(d.Identity != "", "by signers that begin with %s", d.Identity)
	say(d.RepositoryID != "", "of the repository with the id %s", d.RepositoryID)
	say(d.Issuer != "", "at the issuer %s", d.Issuer)
	say(d.Run != "", "of the run %s", d.Run)
	say(d.Serial != "", "with the certificate %s", d.Serial)
	say(d.LogID != "", "in the log %s", d.LogID)
	say(d.LogFrom > 0, "from entry %d", d.LogFrom)
	say(d.LogTo > 0, "up to entry %d", d.LogTo)
	say(!d.From.IsZero(), "since %s", d.From.UTC().Format(time.RFC3339))
	say(!d.Until.IsZero(), "until %s", d.Until.UTC().Format(time.RFC3339))
	return "signatures " + strings.Join(parts, ", ")
}

func listed(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

func either(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}
