package page

import (
	"slices"
	"strings"
	"time"
)

// Attested is an attestation of a file, as the server found it when it came. All text is the certificate's own.
type Attested struct {
	// Ordinal counts those of the file, from 1.
	Ordinal int
	Signer  Signer
	// Predicate is the type of what was stated.
	Predicate string
	// ByRun says that the run that uploaded signed it, ByPublisher that another run did that a trusted publisher of the
	// channel lets in; neither: somebody else.
	ByRun, ByPublisher bool
	// Counts says that it satisfies the channel's demands, Why why not, as a sentence.
	Counts bool
	Why    string
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

// attested reports whether the file carries an attestation that counts.
func (f File) attested() bool {
	return slices.ContainsFunc(f.Attestations, func(a Attested) bool { return a.Counts })
}

// distrusted is since when the file carries no more than attestations that hold no more, or do not count; zero where that is
// not so.
func (f File) distrusted() (since time.Time) {
	if f.attested() {
		return since
	}
	for _, a := range f.Attestations {
		if d := a.Distrusted; d != nil && (since.IsZero() || d.At.Before(since)) {
			since = d.At
		}
	}
	return since
}

// uncounted reports whether the file was signed, though only so that it does not count here.
func (f File) uncounted() bool {
	return !f.attested() && f.distrusted().IsZero() && slices.ContainsFunc(f.Attestations, Attested.publishes)
}

// missing reports whether the file carries nothing, though files before it do.
func (f File) missing() bool {
	return f.StepsBack != "" && !f.attested() && f.distrusted().IsZero() && !f.uncounted()
}

// publishes says that the statement is one of CEP 27: that the file was published.
func (a Attested) publishes() bool { return a.Predicate == publishPredicate }

// publishPredicate is the type of CEP 27.
const publishPredicate = "https://schemas.conda.org/attestations-publish-1.schema.json"

// warning is what a reader should look at, bold words and the rest; empty where there is nothing.
func (a Attested) warning(o Origin) (bold, rest string) {
	switch {
	case a.Distrusted != nil || a.ByRun && (a.Counts || !a.publishes()):
		return "", ""
	case a.ByRun, a.ByPublisher && !o.ByCI() && !a.Counts && a.publishes():
		return "Does not count here.", " " + show(a.Why)
	case a.ByPublisher && !o.ByCI():
		return "", ""
	case o.ByCI():
		bold = "Signed by another run than the one that uploaded it."
	default:
		bold = "Signed by a run that no trusted publisher of this channel lets in."
	}
	switch {
	case a.publishes() && !a.Counts && a.ByPublisher:
		rest = " It does not count here. " + show(a.Why)
	case a.ByPublisher:
		rest = " A trusted publisher of this channel lets that run in, too."
	case a.Counts:
		rest = " This channel takes what anybody has signed."
	default:
		rest = " No demand of this channel is satisfied by it."
	}
	return bold, rest
}

// publicInstance is the name of sigstore's own instance, whose log can be searched by everybody.
const publicInstance = "sigstore"

// blockTitle names one of the file's attestations.
func (f File) blockTitle(i int) string {
	if len(f.Attestations) == 1 {
		return "Attestation"
	}
	return "Attestation " + number(i+1) + " of " + number(len(f.Attestations))
}

// badge says what was checked, and by whom. Of statements that do not publish nothing is read but whom they speak of.
func (a Attested) badge() string {
	what := "signature and time"
	switch {
	case a.Log != "" && a.publishes():
		what = "signature, log entry and statement"
	case a.Log != "":
		what = "signature and log entry"
	case a.publishes():
		what = "signature, time and statement"
	}
	return what + " checked by this server, sigstore instance " + show(a.Instance)
}

// statement is what was signed, and how it was checked.
func (a Attested) statement() []fact {
	list := []fact{a.states()}
	if a.publishes() {
		target := known("For channel", "no channel in particular: the same attestation could stand in any")
		if a.Target != "" {
			target = fact{"For channel", []span{{text: show(a.Target), style: mono}}}
		}
		list = append(list, target)
	}
	same := "no, and no trusted publisher of this channel lets that signer in"
	switch {
	case a.ByRun:
		same = "yes, the run that uploaded signed it"
	case a.ByPublisher:
		same = "no, a run of a trusted publisher of this channel"
	}
	list = append(list, known("Same run", same), known("Signed", stamp(a.SignedAt)))
	if a.Log != "" {
		list = append(list, fact{"Log entry", []span{a.entry()}})
	}
	return append(list, known("Checked", stamp(a.AddedAt)+", when it came"), fact{"Trusted root", []span{{text: show(a.Root[:min(12, len(a.Root))]), style: mono}}})
}

// states is what was signed, in words where the type is known.
func (a Attested) states() fact {
	words := map[string]string{
		publishPredicate:                                  "this file was published (CEP 27)",
		"https://slsa.dev/provenance/v1":                  "how this file was built (SLSA provenance v1)",
		"https://spdx.dev/Document":                       "what is in this file (SPDX)",
		"https://cyclonedx.org/bom":                       "what is in this file (CycloneDX)",
		"https://in-toto.io/attestation/test-result/v0.1": "the result of a test (in-toto)",
		"https://slsa.dev/verification_summary/v1":        "the result of a check (SLSA VSA)",
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

// attested is how many of the files carry an attestation that counts.
func (v PackageView) attested() (n int) {
	for _, f := range v.Files {
		if f.attested() {
			n++
		}
	}
	return n
}

// lost says that fewer of the files carry an attestation than of the version before; empty where that is not so.
func (v PackageView) lost() string {
	b, n := v.Before, v.attested()
	if b == nil || n*b.Files >= b.Attested*len(v.Files) {
		return ""
	}
	now := "no file of this version does"
	if n > 0 {
		now = "of this version " + number(n) + " of " + number(len(v.Files)) + pick(n == 1, " does", " do")
	}
	return number(b.Attested) + " of " + count(b.Files, "file") + " of " + show(b.Version) + pick(b.Attested == 1, " carries", " carry") + " an attestation; " + now + "."
}

// verdict is how far the files are attested, for the strip below the way of the version: how loud, bold words and the
// rest. There is none where no version so far carries any.
func (v PackageView) verdict() (t tone, bold string, rest []span) {
	n, all := v.attested(), count(len(v.Files), "file")
	var since time.Time
	distrusted, uncounted := 0, 0
	for _, f := range v.Files {
		if at := f.distrusted(); !at.IsZero() {
			distrusted++
			if since.IsZero() || at.Before(since) {
				since = at
			}
		}
		if f.uncounted() {
			uncounted++
		}
	}
	see := []span{words(" "), {text: "See how", url: "#files"}}
	switch {
	case distrusted > 0:
		bold = pick(distrusted == 1, "The attestation of 1", "The attestations of "+number(distrusted)) + " of " + all + pick(distrusted == 1, " is", " are") + " no longer trusted since " + minute(since) + "."
		return stop, bold, append([]span{words(" The keys of a sigstore instance have changed. " + v.carry(n) + " that holds.")}, see...)
	case n == len(v.Files):
		return told, v.carry(n) + ".", append([]span{words(pick(n == 1, " This server checked it when it came.", " This server checked each one when it came."))}, see...)
	case n > 0:
		left := len(v.Files) - n
		rest = []span{words(" This server checked " + pick(n == 1, "it", "each one") + " when it came. " + number(left) + pick(left == 1, " does not carry one.", " do not carry one."))}
		if v.lost() != "" {
			rest = append(rest, v.means(v.Before.Version)...)
		}
		return look, v.carry(n) + ".", append(rest, see...)
	case uncounted > 0:
		return look, v.carry(0) + " that counts here.", append([]span{words(" " + count(uncounted, "file") + pick(uncounted == 1, " carries one that does not; it says why.", " carry one that does not; each says why."))}, see...)
	case v.Earlier != "":
		return look, v.carry(0) + ".", append([]span{words(" Versions published earlier do, " + show(v.Earlier) + " the last.")}, v.means(v.Earlier)...)
	}
	return quiet, "", nil
}

// means says what it can mean that attestations are missing where there were some, and what to do: version is one that had
// them.
func (v PackageView) means(version string) []span {
	either := words(" Either the workflow no longer signs, or somebody publishes past it: ask the owners of " + show(v.Channel))
	if version == v.Version {
		return []span{either, words(", or take a file that is attested.")}
	}
	return []span{either, words(", or stay with "), {text: show(version), url: VersionPath(v.Channel, v.Name, version)}, words(" until you know.")}
}

// stepBack is what the reader of a file should look at whose package had attestations before; empty where there is nothing.
func (v PackageView) stepBack(f File) (bold string, rest []span) {
	if !f.missing() {
		return "", nil
	}
	return "Earlier files of " + show(v.Name) + " are attested, this one is not.", v.means(f.StepsBack)
}

// carry is "3 of 5 files carry an attestation".
func (v PackageView) carry(n int) string {
	switch {
	case n > 0:
		return number(n) + " of " + count(len(v.Files), "file") + pick(n == 1, " carries", " carry") + " an attestation"
	case len(v.Files) == 1:
		return "The only file carries no attestation"
	}
	return "None of " + count(len(v.Files), "file") + " carries an attestation"
}

// toCheck is the attestation that a reader should check: the first that counts, or else that says that the file was
// published.
func (f File) toCheck() (Attested, bool) {
	i := slices.IndexFunc(f.Attestations, func(a Attested) bool { return a.Counts })
	if i < 0 {
		i = slices.IndexFunc(f.Attestations, Attested.publishes)
	}
	if i < 0 {
		return Attested{}, false
	}
	return f.Attestations[i], true
}

// checking is one part of checking a file without trusting this server: what it is, and what somebody types.
type checking struct {
	lead  string
	lines []line
}

// checks are the file and the programs that check it. cosign wants an entry in a log.
func (f File) checks(frame Frame, v PackageView, a Attested) []checking {
	at, bundle := frame.URL+DownloadPath(v.Channel, f.address(), f.Subdir, f.Name), f.Name+".sigstore.json"
	get := "curl -fL"
	if v.Private {
		get += ` -H "Authorization: Bearer $SLUICE_TOKEN"`
	}
	sluice := []string{"sluice attestation check", "--issuer " + shell(a.Signer.Issuer), "--identity " + shell(a.Signer.Identity)}
	if a.Target != "" {
		sluice = append(sluice, "--channel "+shell(a.Target))
	}
	cosign := []string{
		"cosign verify-blob-attestation", "--bundle " + shell(bundle), "--certificate-identity " + shell(a.Signer.Identity),
		"--certificate-oidc-issuer " + shell(a.Signer.Issuer), "--type " + shell(a.Predicate),
	}
	if a.Instance != publicInstance {
		const root = "--trusted-root trusted_root.json"
		sluice, cosign = append(sluice, root), append(cosign, root)
	}
	list := []checking{
		{"Get the file", []line{folded(get + " -O " + shell(at))}},
		{"With sluice", []line{folded(get + " -O " + shell(at+".sigs")), folded(append(sluice, shell(f.Name))...)}},
	}
	if a.Log == "" {
		return list
	}
	return append(list, checking{"With cosign 3.1 or newer, which does not ask for which channel", []line{
		folded(get+" -o "+shell(bundle), shell(frame.URL+BundlePath(v.Channel, f.Subdir, f.Name, a.Ordinal))), folded(append(cosign, shell(f.Name))...),
	}})
}

// folded is one command, each part of it on a line.
func folded(parts ...string) line { return command(words(strings.Join(parts, " \\\n  "))) }
