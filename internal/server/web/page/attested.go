package page

import (
	"slices"
	"strings"
	"time"
)

// Attested is an attestation of a file, as the server found it when it came. All text is the certificate's own.
type Attested struct {
	// Identity is the name in the certificate, Issuer who issued the identity token for it.
	Identity, Issuer string
	// Repository, Commit and Run are what it says of the run; empty where it says nothing.
	Repository, Commit, Run string
	// Predicate is the type of what was stated.
	Predicate string
	// ByRun says that the run that uploaded signed it; else a run of one of the channel's publishers did.
	ByRun bool
	// Target is the channel that it was made for; empty: for none in particular.
	Target   string
	SignedAt time.Time
	// Log is its entry in the transparency log; Instance is the sigstore by which it was checked, Root the digest of its keys.
	Log, Instance, Root string
	// AddedAt is when it was checked.
	AddedAt time.Time
	// Distrusted is what a second look found; nil: it still holds.
	Distrusted *Distrusted
}

// Distrusted says that the instance's keys have changed since, and that the attestation does not hold by the new ones.
type Distrusted struct {
	At time.Time
	// Why is what does not hold, as a sentence; Root the digest of the keys that refused.
	Why, Root string
}

// sentences say that it is no longer trusted.
func (d Distrusted) sentences(a Attested) (bold string, rest span) {
	return "No longer trusted since " + stamp(d.At) + ".",
		words(" The keys of the instance " + show(a.Instance) + " have changed, and by the new ones, " + show(d.Root[:min(12, len(d.Root))]) + ", it does not hold: " + show(d.Why) + " What stands below was found when it came.")
}

// trusted reports whether an attestation of the file holds by today's keys.
func (f File) trusted() bool {
	return slices.ContainsFunc(f.Attestations, func(a Attested) bool { return a.Distrusted == nil })
}

// publicInstance is the name of sigstore's own instance, whose log can be searched by everybody.
const publicInstance = "sigstore"

// signedBy is what an attestation says, and how it was checked.
func (a Attested) signedBy() []fact {
	mono := func(label, text string) fact { return fact{label, []span{{text: show(text), style: mono}}} }
	list := []fact{a.states(), mono("Identity", a.Identity), known("Issuer", show(a.Issuer))}
	same := "no: a run of a trusted publisher of this channel"
	if a.ByRun {
		same = "yes"
	}
	list = append(list, known("In the run that uploaded", same))
	if a.Commit != "" {
		list = append(list, mono("Commit", a.Commit))
	}
	if a.Run != "" {
		list = append(list, mono("Run", a.Run))
	}
	target := known("For channel", "none in particular: the same attestation could stand in any channel")
	if a.Target != "" {
		target = mono("For channel", a.Target)
	}
	list = append(list, target, known("Signed", stamp(a.SignedAt)))
	if a.Log != "" {
		list = append(list, fact{"Log entry", []span{a.entry()}})
	}
	return append(list, known("Checked", "when it came, "+stamp(a.AddedAt)+", by the instance "+show(a.Instance)+", keys "+show(a.Root[:min(12, len(a.Root))])))
}

// states is what was signed, in words where the type is known.
func (a Attested) states() fact {
	words := map[string]string{
		"https://schemas.conda.org/attestations-publish-1.schema.json": "this file was published (CEP 27)",
		"https://slsa.dev/provenance/v1":                               "how this file was built (SLSA provenance v1)",
		"https://spdx.dev/Document":                                    "what is in this file (SPDX)",
		"https://cyclonedx.org/bom":                                    "what is in this file (CycloneDX)",
		"https://in-toto.io/attestation/test-result/v0.1":              "the result of a test (in-toto)",
		"https://slsa.dev/verification_summary/v1":                     "the result of a check (SLSA VSA)",
	}[a.Predicate]
	if words == "" {
		return fact{"States", []span{{text: show(a.Predicate), style: mono}}}
	}
	return known("States", words)
}

// entry leads to the entry of the log, where everybody can look at it.
func (a Attested) entry() span {
	if a.Instance != publicInstance || strings.Trim(a.Log, "0123456789") != "" {
		return words(show(a.Log))
	}
	return link(a.Log, "https://search.sigstore.dev/?logIndex="+a.Log)
}

// attested is how many of the files carry an attestation that holds, distrusted how many carry only such as hold no more.
func (v PackageView) attested() (holds, distrusted int) {
	for _, f := range v.Files {
		if f.trusted() {
			holds++
		} else if len(f.Attestations) > 0 {
			distrusted++
		}
	}
	return holds, distrusted
}

// distrustedSentence tells of those that hold no more; empty where there are none.
func (v PackageView) distrustedSentence() string {
	switch _, n := v.attested(); n {
	case 0:
		return ""
	case 1:
		return "1 file carries an attestation that is no longer trusted."
	default:
		return number(n) + " files carry attestations that are no longer trusted."
	}
}

// attestedSentence says so, in words that promise no more than was checked.
func (v PackageView) attestedSentence() string {
	switch n, distrusted := v.attested(); {
	case n == 0 && distrusted > 0:
		return "No file of this version carries an attestation that holds."
	case n == 0:
		return "No file of this version carries an attestation."
	case n == 1 && len(v.Files) == 1:
		return "1 of 1 file carries an attestation. This server checked it when it came."
	case n == len(v.Files):
		return number(n) + " of " + count(n, "file") + " carry an attestation. This server checked each one when it came."
	case len(v.Files)-n == 1:
		return number(n) + " of " + count(len(v.Files), "file") + " carry an attestation, which this server checked when it came; 1 does not."
	default:
		return number(n) + " of " + count(len(v.Files), "file") + " carry an attestation, which this server checked when it came; " + number(len(v.Files)-n) + " do not."
	}
}

// checkLines are what somebody types to check a file without trusting this server.
func (f File) checkLines(frame Frame, v PackageView) []line {
	a := f.Attestations[0]
	at := frame.URL + DownloadPath(v.Channel, f.address(), f.Subdir, f.Name)
	check := "sluice attestation check " + shell(f.Name) + " --issuer " + shell(a.Issuer) + " --identity " + shell(a.Identity)
	if a.Target != "" {
		check += " --channel " + shell(a.Target)
	}
	if a.Instance != publicInstance {
		check += " --trusted-root trusted_root.json"
	}
	return []line{command(words("curl -fLO " + shell(at))), command(words("curl -fLO " + shell(at+".sigs"))), command(words(check))}
}
