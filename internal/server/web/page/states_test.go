package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"

	"sluice/internal/server/web/static"
)

// now is the moment at which every page of these tests was made.
var now = time.Date(2026, 11, 23, 14, 6, 9, 0, time.UTC)

func before(d time.Duration) time.Time { return now.Add(-d) }

func frame(user string) Frame {
	style, _ := static.CSS()
	return Frame{
		Host: "conda.acme.dev", URL: "https://conda.acme.dev", Style: style, Version: "0.1.0",
		User: user, Path: "/channels/forge", Now: now,
	}
}

func run(repository, workflow, number, attempt string) Origin {
	return Origin{Run: Run{
		Repository: repository, RepositoryURL: "https://github.com/" + repository, RepositoryID: "71844120",
		Workflow: workflow, WorkflowURL: "https://github.com/" + repository + "/blob/abc1234def5678/.github/workflows/" + workflow,
		Number: number, Attempt: attempt, URL: "https://github.com/" + repository + "/actions/runs/1019" + number + "/attempts/" + attempt,
		Commit: "abc1234def5678abc1234def5678abc1234def56", CommitURL: "https://github.com/" + repository + "/commit/abc1234def5678abc1234def5678abc1234def56",
		Ref: "refs/heads/main", Event: "push", Environment: "release", Runner: "github-hosted", Publisher: "1",
	}}
}

func forgeHead() ChannelHead {
	return ChannelHead{
		Name: "forge", Description: "Command line tools and libraries that Acme builds for every platform it ships on.",
		Packages: 62, Publishers: 3, SeesPublishers: true, SeesAudit: true,
	}
}

func allSubdirs() []string {
	return []string{"linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64"}
}

func releases() []Release {
	return []Release{
		{"forge", "zellij", "0.44.0", []string{"linux-64", "linux-aarch64"}, run("acme/forge", "build.yml", "1237", "2"), before(2 * time.Minute), true},
		{"forge", "tidelib", "2.4.1", []string{"noarch"}, run("acme/tidelib", "release.yml", "311", "1"), before(8 * time.Minute), true},
		{"forge", "ripgrep", "15.1.0", allSubdirs(), run("acme/forge", "build.yml", "1234", "1"), before(124 * time.Minute), true},
		{"tide", "tidelib-data", "2026.11", []string{"noarch"}, run("acme/tide-tables", "data.yml", "96", "1"), time.Date(2026, 11, 22, 11, 20, 0, 0, time.UTC), false},
		{"tide", "oldmodel", "3.1", []string{"linux-64"}, Origin{}, before(120 * time.Hour), true},
	}
}

func packages() []PackageRow {
	ci := run("acme/forge", "build.yml", "1217", "1")
	rows := []PackageRow{
		{"forge", "bat", "A cat clone with wings", "0.26.0", allSubdirs(), ci, before(12 * 24 * time.Hour), false, true},
		{"forge", "fieldkit", "Read sensor logs of the field stations", "0.3.1", []string{"noarch"}, Origin{Member: "mara"}, before(205 * 24 * time.Hour), false, true},
		{"forge", "libtide", "C library behind tidelib", "2.4.1", []string{"linux-64", "osx-arm64", "win-64"}, run("acme/tidelib", "release.yml", "310", "1"), before(130 * time.Minute), false, true},
		{"forge", "libtide-devel-static-with-openmp-and-mkl-and-every-other-thing-64", "Static libtide for the cluster images", "2.4.1", []string{"linux-64"}, run("acme/tidelib", "release.yml", "310", "1"), before(130 * time.Minute), false, true},
		{"forge", "ripgrep", "Search directories for a pattern", "15.1.0", allSubdirs(), ci, before(124 * time.Minute), false, true},
		{"forge", "sd", "Find and replace that is easy to read", "1.0.0", allSubdirs()[:4], ci, before(174 * 24 * time.Hour), false, false},
		{"forge", "xsv", "", "0.13.0", []string{"linux-64"}, ci, before(400 * 24 * time.Hour), true, false},
		{"forge", "zellij", "A terminal workspace", "0.44.0", allSubdirs()[:2], run("acme/forge", "build.yml", "1237", "2"), before(2 * time.Minute), false, true},
	}
	return rows
}

func publishers() []Publisher {
	at := func(month time.Month, d int) time.Time { return time.Date(2026, month, d, 10, 0, 0, 0, time.UTC) }
	return []Publisher{
		{ID: "1", Provider: "github", Repository: "acme/forge", Workflow: "build.yml", Environment: "release", OwnerID: "9120357", RepositoryID: "71844120", IdleEnd: at(12, 28).AddDate(1, 0, 0),
			AddedBy: "mara", AddedAt: at(6, 18), LastUsed: before(2 * time.Minute), LastRun: "1237", LastRunURL: "https://github.com/acme/forge/actions/runs/10191237/attempts/2"},
		{ID: "2", Provider: "gitlab", Repository: "acme/tidelib", Workflow: ".gitlab-ci.yml", Packages: []string{"tidelib", "libtide*"}, OwnerID: "9120357", RepositoryID: "80021744",
			Title: "GitLab CI", Issuer: "https://gitlab.acme.dev", More: []string{"Refs refs/tags/v*.", "Protected refs only.", "No new package names."}, State: "off", Off: "is switched off since 4 Nov 2026",
			AddedBy: "jo", AddedAt: at(7, 2), LastUsed: before(8 * time.Minute), LastRun: "311", LastRunURL: "https://gitlab.acme.dev/acme/tidelib/-/pipelines/311"},
		{ID: "3", Provider: "github", Repository: "acme/wavefile", Workflow: "release.yml", Packages: []string{"wavefile"}, Weak: "Any branch can publish, because no environment is named.",
			OwnerID: "9120357", RepositoryID: "88310270", AddedBy: "jo", AddedAt: at(10, 12), LastUsed: before(24 * 24 * time.Hour), LastRun: "87", LastRunURL: "https://github.com/acme/wavefile/actions/runs/101987",
			IdleEnd: at(12, 4), Narrower: true, Refused: []Attempt{moved(), refused()}},
		{ID: "4", Provider: "github", Repository: "acme/*", Workflow: "ci.yml", Reads: true, AddedBy: "jo", AddedAt: at(11, 20), IdleEnd: at(12, 20)},
	}
}

func runChecks() []Check {
	return []Check{
		{Field: "workflow", Claim: "workflow_ref", Got: "release.yaml", Want: "release.yml", Differs: true, Hint: "They differ in their endings"},
		{Field: "environment", Claim: "environment", Got: "", Want: "release", Differs: true},
		{Field: "event", Claim: "event_name", Got: "push", Want: "push, release or workflow_dispatch"},
	}
}

func refused() Attempt {
	return Attempt{ID: "88", At: before(4 * time.Minute), Since: before(30 * time.Minute), Times: 9, Repository: "acme/wavefile", Workflow: "release.yaml", Ref: "refs/heads/main", Run: "88",
		RunURL: "https://github.com/acme/wavefile/actions/runs/101988", Commit: "5e0c9d2aaaa", CommitURL: "https://github.com/acme/wavefile/commit/5e0c9d2aaaa",
		Sentence: "Workflow does not match.", Checks: runChecks(), Pinned: true, MayAllow: true}
}

func moved() Attempt {
	return Attempt{ID: "87", At: before(40 * time.Minute), Since: before(40 * time.Minute), Times: 1, Repository: "acme/wavefile", Sentence: "Repository has another owner.", OtherIDs: true, MayMove: true,
		Checks: []Check{{Field: "owner id", Claim: "owner_id", Got: "666", Want: "9120357", Differs: true}, {Field: "repository id", Claim: "repository_id", Got: "88310270", Want: "88310270"}}}
}

func changeView() ChangeView {
	return ChangeView{
		Head: forgeHead(), Publisher: publishers()[2], Title: "Allow runs like release.yaml of acme/wavefile, run 88 attempt 1?", Button: "Allow this", Path: "/channels/forge/publishers/3/allow/88", Version: "1",
		Why: "That run was refused. Its pinned ids prove that it is of the publisher's own repository.", Before: rule(), After: rule(), IDsBefore: "Owner id 1, repository id 2.", IDsAfter: "Owner id 3, repository id 2.",
	}
}

func tryView() TryView {
	return TryView{
		Head: forgeHead(), Issuers: []Choice{{"https://token.actions.githubusercontent.com", "GitHub Actions"}, {"https://gitlab.acme.dev", "GitLab CI"}}, Error: "The token has two parts.",
		Trial: &Trial{Repository: "acme/wavefile", Workflow: "release.yaml", Ref: "refs/heads/main", Run: "88", Problems: []string{"Token has ended."}, Others: 2, Results: []TrialResult{
			{Publisher: publishers()[0], Rule: rule(), Granted: true, Checks: runChecks()[2:]},
			{Publisher: publishers()[2], Rule: rule(), Why: "Publisher is off.", Checks: runChecks()},
		}},
	}
}

// shortForm is the form of a service, with nothing in it.
func shortForm(service string) PublisherForm {
	return PublisherForm{
		Services: []Choice{{"github", "GitHub Actions"}, {"gitlab", "GitLab CI"}, {"forgejo", "Forgejo Actions"}, {"buildkite", "Buildkite"}}, Service: service,
		Issuers: []Choice{{"https://token.actions.githubusercontent.com", "https://token.actions.githubusercontent.com"}}, Issuer: Field{Value: "https://token.actions.githubusercontent.com"},
		Environments: true, Fields: []NamedField{
			{Name: "repository_owner", Label: "Owner", Example: "acme"}, {Name: "repository", Label: "Repository", Example: "forge"},
			{Name: "workflow", Label: "Workflow file", Example: "build.yml", Help: "The name only, in .github/workflows. The file that is triggered, not one it calls."},
		},
	}
}

func ruleForm() RuleForm {
	return RuleForm{
		PublisherForm: shortForm("github"), Tells: Tells{true, true, true, true, true, true}, NewNames: Field{Value: "true"}, Right: Field{Value: "publish"},
		Files: Field{Value: "500"}, Bytes: Field{Value: "50GiB"}, Names: Field{Value: "50"}, SafeEvents: []string{"push", "release", "workflow_dispatch"},
		Risky: []RiskyEvents{{[]string{"pull_request_target", "workflow_run"}, "Strangers can steer such a run, with the repository's own rights"}, {[]string{"pull_request"}, "Nobody has reviewed the code of such a run"}},
	}
}

func channelView() ChannelView {
	none := 0
	return ChannelView{
		Head: forgeHead(), Example: "ripgrep", Packages: packages(), Filter: PackageFilter{Subdirs: append(allSubdirs(), "noarch")},
		Paging: Paging{From: 1, To: 8, Total: 62, Next: "/channels/forge?after=zellij"}, Artifacts: 190, Bytes: 1_934_000_000, ByCI: 184, Attested: 171, Imported: 2,
		Keys: &none, Publishers: publishers(), Recent: releases()[:3],
	}
}

func files(o Origin) []File {
	var list []File
	for i, s := range allSubdirs() {
		build := fmt.Sprintf("h%07x_0", 0x7f3a2c1+i*7919)
		list = append(list, File{
			Subdir: s, Name: "ripgrep-15.1.0-" + build + ".conda", Size: 1_912_345 + int64(i)*93_000,
			SHA256: "9f2c1b60d1f0a3c7e4b85d6a7c90e1f2338b44c5d6e7f8091a2b3c4d5e6f7081", Build: build, Built: before(128 * time.Minute),
			Depends: depends(s), Origin: o, At: before(124 * time.Minute),
		})
	}
	return list
}

func depends(subdir string) []string {
	if strings.HasPrefix(subdir, "linux") {
		return []string{"libgcc >=14", "pcre2 >=10.44,<10.45.0a0", "__glibc >=2.17,<3.0.a0"}
	}
	return []string{"pcre2 >=10.44,<10.45.0a0"}
}

func versions() Matrix {
	m := Matrix{Subdirs: allSubdirs()}
	for i, v := range []string{"15.1.0", "15.0.0", "14.1.1", "14.1.0", "14.0.3", "13.0.0"} {
		row := MatrixRow{Version: v, At: before(124*time.Minute + time.Duration(i*i)*8*24*time.Hour)}
		for j := range m.Subdirs {
			c := Cell{ByCI: 1, Attested: 1}
			switch {
			case i == 1:
				c.Attested = 0
			case i == 2 && j%2 == 0:
				c = Cell{ByCI: 2, Attested: 2 - j/4}
			case i == 4 && j == 4:
				c = Cell{ByToken: 1}
			case i == 4 && j == 3, i == 5 && j > 0:
				c = Cell{}
			}
			row.Cells = append(row.Cells, c)
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

func packageView() PackageView {
	o := run("acme/forge", "build.yml", "1234", "1")
	return PackageView{
		Channel: "forge", Name: "ripgrep", Version: "15.1.0", Latest: "15.1.0",
		Summary: "Search a directory tree for lines that match a pattern, fast, and skip what git ignores.",
		Said:    Said{License: "MIT OR Unlicense", Home: "https://github.com/BurntSushi/ripgrep", Docs: "https://github.com/BurntSushi/ripgrep/blob/master/GUIDE.md", Built: before(128 * time.Minute)},
		Files:   files(o), Before: &Before{Version: "15.0.0", Origin: run("acme/forge", "build.yml", "1199", "1"), Files: 5},
		Versions: versions(), VersionTotal: 14, Here: map[string]bool{"pcre2": true}, SeesPublishers: true,
	}
}

// attestedPackage has attestations of all its files.
func attestedPackage() PackageView {
	v := packageView()
	for i := range v.Files {
		v.Files[i].Attestations = []Attested{signed()}
	}
	v.Before.Files, v.Before.Attested, v.Earlier = 5, 5, "15.0.0"
	return v
}

func signed() Attested {
	const repository = "https://github.com/acme/forge"
	return Attested{
		Ordinal: 1, Predicate: publishPredicate, ByRun: true, Counts: true, Target: "https://conda.acme.dev/forge", SignedAt: before(125 * time.Minute),
		Log: "456119071", Instance: "sigstore", Root: strings.Repeat("6a", 32), AddedAt: before(124 * time.Minute),
		Signer: Signer{
			Identity: repository + "/.github/workflows/build.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com", Repository: repository, RepositoryID: "71844120",
			Workflow: repository + "/.github/workflows/build.yml@refs/heads/main", Run: repository + "/actions/runs/9876543210/attempts/1",
			Commit: "abc1234abc1234abc1234abc1234abc1234abc12", Ref: "refs/heads/main", Trigger: "push", Environment: "release", Runner: "github-hosted", Linked: true,
		},
	}
}

// partlyAttested has files with an attestation, with four of all kinds, and without.
func partlyAttested() PackageView {
	v := attestedPackage()
	other, rebuilt, contents := signed(), signed(), signed()
	other.Ordinal, other.ByRun, other.ByPublisher, other.Target, other.Instance, other.Log = 2, false, true, "", "ours", "12 \u202e<b>"
	rebuilt.Ordinal, rebuilt.ByRun, rebuilt.Counts, rebuilt.Predicate, rebuilt.Signer.Linked = 3, false, false, "https://slsa.dev/provenance/v1", false
	contents.Ordinal, contents.Counts, contents.Predicate = 4, false, "https://acme.dev/contents/v2"
	v.Files[1].Attestations = []Attested{signed(), other, rebuilt, contents}
	v.Files[3].Attestations, v.Files[4].Attestations = nil, nil
	return v
}

// uncountedPackage has only attestations that satisfy nothing.
func uncountedPackage() PackageView {
	v := attestedPackage()
	v.Files = v.Files[:2]
	for i := range v.Files {
		v.Files[i].Attestations[0].Counts = false
	}
	v.Files[0].Attestations[0].Why = "The attestation was signed by acme/forge, and the channel has denied that: run 9876543210."
	v.Files[1].Attestations[0].ByRun = false
	return v
}

// lostPackage has no attestation, and the version before had.
func lostPackage() PackageView {
	v := attestedPackage()
	for i := range v.Files {
		v.Files[i].Attestations, v.Files[i].StepsBack = nil, "15.0.0"
	}
	return v
}

// distrustedPackage has a file whose attestations hold no more, and one with another that does.
func distrustedPackage() PackageView {
	v := partlyAttested()
	d := &Distrusted{At: before(3 * time.Minute), Why: "The attestation does not hold by the instance sigstore: it is in no transparency log that is trusted here <b>.", Root: strings.Repeat("7b", 32)}
	for i := range 2 {
		v.Files[i].Attestations[0].Distrusted, v.Files[i].Attestations[0].Counts = d, false
	}
	return v
}

func tokenPackage() PackageView {
	v := packageView()
	v.Version, v.Latest, v.Pinned = "14.0.3", "15.1.0", true
	v.Files = files(Origin{Member: "mara", Token: "ci-old"})[:2]
	return v
}

func mixedPackage() PackageView {
	v := packageView()
	for i := range 2 {
		v.Files[i].Origin = Origin{}
	}
	v.Before = nil
	for i := range 30 {
		f := v.Files[4]
		f.Subdir, f.Build = "noarch", fmt.Sprintf("py%d_0", 300+i)
		f.Name, f.Depends = "ripgrep-15.1.0-"+f.Build+".tar.bz2", []string{fmt.Sprintf("python 3.%d.*", i), "numpy>=2"}
		v.Files = append(v.Files, f)
	}
	return v
}

func rule() []Phrase {
	return []Phrase{{"Runs of ", false}, {"build.yml", true}, {" in ", false}, {"acme/tidewatch", true}, {" may publish ", false}, {"every package", true}, {" of forge", false}}
}

func publishersView() PublishersView {
	return PublishersView{
		Head: forgeHead(), Publishers: publishers(), Chosen: "1", MayManage: true, Form: shortForm("github"),
		Refused: []Attempt{
			{ID: "60", At: before(100 * time.Hour), Times: 1, Repository: "acme/tidewatch", Workflow: "build.yml", Ref: "refs/tags/v1.2", Run: "4", Sentence: "No publisher of forge names this repository.",
				Make: "/channels/forge/publishers?provider=github&repository=tidewatch#add"},
			{ID: "59", At: before(270 * time.Hour), Since: before(290 * time.Hour), Times: 3, Repository: "acme/forge", Workflow: "build.yml", Ref: "refs/pull/418/merge", Run: "1201", Sentence: "Event may not publish.", Checks: runChecks()[1:]},
		},
		Exchanges: []Exchange{{At: before(2 * time.Minute), Repository: "acme/forge", Workflow: "build.yml", Ref: "refs/heads/main", Run: "1237", RunURL: "https://github.com/acme/forge/actions/runs/10191237/attempts/2", Checks: runChecks()[2:]}},
		News: []NewsItem{
			{At: before(40 * time.Minute), Sentence: "Repository has another owner.", Refused: true},
			{At: before(27 * time.Hour), Who: "mara", Sentence: "changed publisher 3: Runs of release.yml in acme/wavefile may publish wavefile of forge"},
		},
		Keys: KeysView{Count: 1, MaySwitch: true, Left: []UploadKey{{"mara", "ci-old", "sluice-api-0aWm", time.Time{}, now.AddDate(0, 2, 0)}}},
	}
}

func tokensView() TokensView {
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 14, 0, 0, 0, time.UTC) }
	return TokensView{
		User: "mara", Admin: true, Channels: []string{"forge", "lab", "tide"}, Owned: "forge",
		Tokens: []APIToken{
			{ID: "4", Name: "read-laptop", Hint: "sluice-api-7Qm2", May: "read", Channel: "lab", CreatedAt: now, Ends: date(2027, 2, 21)},
			{ID: "3", Name: "grafana", Hint: "sluice-api-c81X", May: "read", CreatedAt: date(2026, 9, 1), LastUsed: before(3 * time.Minute), Ends: now.Add(12*24*time.Hour + time.Hour)},
			{ID: "2", Name: "nightly-upload", Hint: "sluice-api-Ph5d", May: "read and publish", Channel: "lab", CreatedAt: date(2026, 3, 1), LastUsed: before(201 * 24 * time.Hour), Ends: date(2027, 3, 1)},
			{ID: "1", Name: "ci-old", Hint: "sluice-api-0aWm", May: "read and publish", Channel: "forge", CreatedAt: date(2026, 1, 1), LastUsed: date(2026, 5, 2), Ends: date(2027, 1, 1), Revoked: date(2026, 5, 3)},
		},
	}
}

func auditView() AuditView {
	at := func(d, h, m, s int) time.Time { return time.Date(2026, 11, d, h, m, s, 0, time.UTC) }
	return AuditView{
		Head: forgeHead(), Kinds: []Choice{{"mint", "Publish tokens"}, {"upload", "Uploads"}, {"refused", "Refusals"}}, Paging: Paging{Total: 2316, Next: "/channels/forge/audit?before=41"},
		Events: []AuditEvent{
			{At: at(23, 14, 5, 12), Who: "run 1238", Means: "acme/forge, build.yml", Sentence: "got a publish token for forge: every package, until 14:35", Request: "9F2M8"},
			{At: at(23, 14, 4, 5), Who: "run 1237 attempt 2", Means: "acme/forge, build.yml", Sentence: "published linux-64/zellij-0.44.0-h5e0a9d1_0.conda", URL: "/channels/forge/packages/zellij/versions/0.44.0", URLText: "zellij 0.44.0", Request: "9F2L7"},
			{At: at(23, 14, 3, 58), Who: "run 1237 attempt 2", Means: "acme/forge, build.yml", Refused: true, Sentence: "upload of osx-arm64/zellij-0.44.0-h93d1c2f_0.conda: the SHA-256 that was sent is not that of the bytes", Request: "9F2L5"},
			{At: at(23, 14, 2, 40), Who: "run 88", Means: "acme/wavefile, release.yaml", Refused: true, Sentence: "no publish token. Workflow: token has release.yaml, publisher 3 wants release.yml", URL: "/channels/forge/publishers/3", URLText: "Look at the publisher", Request: "9F2K1"},
			{At: at(19, 16, 44, 9), Who: "mara", Means: "session", Sentence: "changed the channel", Request: "9BD2R"},
			{At: at(19, 7, 0, 0), Who: "server", Sentence: "made the public channel forge"},
		},
	}
}

func demandView() DemandView {
	failing := Failing{Unattested: 300, NotCounting: 2, Already: 12, Confirmed: "attestations: required", Files: []FailingFile{
		{"noarch/tidelib-2.4.1-py313h5a0c_0.conda", "This channel takes tidelib only with an attestation: upload with --generate-attestation."},
		{"linux-64/" + strings.Repeat("long-", 20) + "1.0-0.conda", "The attestation was signed by https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main, and the channel has denied that: it was taken over."},
	}}
	return DemandView{
		Head: managed(), Terms: []Term{{"Attestations", "required for tidelib, libtide*"}, {"Signer", "the run that uploads"}, {"Other addresses of the channel", "https://old.acme.dev/" + strings.Repeat("forge", 20)}},
		Denied: []Denied{{"signatures of the run https://github.com/acme/forge/actions/runs/1234567890, until 2026-08-21T12:00:00Z", "A stranger has pushed to main."}},
		Form:   DemandForm{Mode: Field{Value: "required"}, Signer: Field{Value: "run"}, Target: Field{Value: "listed"}, NoRegress: Field{Value: "warn"}, AllowAbsent: Field{Value: "true"}, Failing: &failing},
		Deny:   DenyForm{By: Field{Value: "run"}, Value: Field{Value: "https://github.com/acme/forge/actions/runs/77"}},
	}
}

// managed is the head of a channel for its owner.
func managed() ChannelHead {
	h := forgeHead()
	h.MayManage = true
	return h
}

// states are the pages, each in every state that looks different.
func states() map[string]templ.Component {
	me, anyone := frame("mara"), frame("")
	list := map[string]templ.Component{
		"home": Home(anyone, HomeView{
			Title: "Conda packages of Acme", ChannelTotal: 3, Recent: releases(),
			Channels: []ChannelRow{
				{Name: "forge", Description: "Command line tools and libraries for every platform that Acme ships on", Packages: 62, Artifacts: 190, ByCI: 184, LastPackage: "zellij", LastVersion: "0.44.0", LastAt: before(2 * time.Minute)},
				{Name: "tide", Private: true, Description: "Ocean models, tide tables and their Python bindings", Packages: 18, Artifacts: 1204, ByCI: 1203, LastPackage: "tidelib-data", LastVersion: "2026.11", LastAt: before(27 * time.Hour)},
				{Name: "attic"},
			},
		}),
		"home-fresh-admin": Home(me, HomeView{MayCreate: true}),
		"home-fresh":       Home(anyone, HomeView{}),
		"home-filter":      Home(me, HomeView{MayCreate: true, ChannelQuery: "tid", ChannelTotal: 300}),
		"home-cut":         Home(me, HomeView{ChannelTotal: 300, Cut: true, Channels: []ChannelRow{{Name: "attic"}, {Name: "forge"}}}),
		"versions": Versions(me, VersionsView{Channel: "forge", Name: "ripgrep", Summary: packageView().Summary, Matrix: versions(),
			Paging: Paging{From: 1, To: 6, Total: 14, Next: "/channels/forge/packages/ripgrep/versions?after=13.0.0"}}),
		"audit":          Audit(me, auditView()),
		"demand":         Demand(me, demandView()),
		"demand-denial":  Demand(me, DemandView{Head: managed(), Terms: demandView().Terms, Deny: DenyForm{Failing: demandView().Form.Failing}}),
		"demand-none":    Demand(me, DemandView{Head: managed(), Terms: demandView().Terms[:2]}),
		"demand-refused": Demand(me, DemandView{Head: managed(), Form: DemandForm{Error: "aliases: no address"}, Deny: DenyForm{Error: "Say why."}}),
		"check-none":     CheckIndex(me, CheckView{Head: managed()}),
		"check-running":  CheckIndex(me, CheckView{Head: managed(), Job: &CheckJob{Running: true, By: "mara", Started: before(time.Minute), Step: "artifacts", Done: 1200, Total: 4000}}),
		"check-agrees":   CheckIndex(me, CheckView{Head: managed(), Job: &CheckJob{Quick: true, By: "mara", Started: before(time.Hour), Ended: before(time.Minute), Done: 4000, Total: 4000, Repaired: 3}}),
		"check-verified": CheckIndex(me, CheckView{Head: managed(), Job: &CheckJob{Verify: true, By: "mara", Started: before(time.Hour), Ended: before(time.Minute), Done: 4000, Total: 4000, Attested: 3990, Unattested: 10}}),
		"check-failed": CheckIndex(me, CheckView{Head: managed(), Job: &CheckJob{Verify: true, By: "mara", Started: before(time.Hour), Ended: before(time.Minute), Done: 4000, Total: 4000, Attested: 3989, Unattested: 10, Failed: 1,
			Wrong: []CheckWrong{{File: "linux-64/ripgrep-15.1.0-h7f3a2c1_0.conda", Code: "signer_denied", Detail: "The attestation was signed by https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main, and the channel has denied that: the run was taken over."}}}}),
		"check-broken": CheckIndex(me, CheckView{Head: managed(), Job: &CheckJob{Broken: true, Problem: "The server was stopped.", By: "mara", Started: before(time.Hour)}}),
		"check-differs": CheckIndex(me, CheckView{Head: managed(), Job: &CheckJob{Repair: true, By: "mara", Started: before(time.Hour), Ended: before(time.Minute), Done: 4000, Total: 4000,
			Differences: 300, Repairable: 2, Found: []CheckDifference{
				{"main/noarch/tide", "shard.content", "no shard", "one of 3 records"},
				{"noarch/" + strings.Repeat("long-", 20) + "1.0-0.conda", "blob.missing", "no bytes", "1349 bytes with SHA-256 " + strings.Repeat("ab", 32)},
			}}}),
		"audit-empty":       Audit(me, AuditView{Head: forgeHead()}),
		"audit-none":        Audit(me, AuditView{Head: forgeHead(), Kind: "refused", Kinds: auditView().Kinds}),
		"search":            Search(me, SearchView{Query: "tide", Packages: packages()[2:5], Paging: Paging{From: 1, To: 3, Total: 10_000, AtLeast: true, First: "/search?q=tide", Next: "/search?q=tide&after=x"}, Channels: 3}),
		"search-none":       Search(me, SearchView{Query: "tidlib", Channels: 4, Near: []Near{{"forge", "tidelib"}, {"forge", "libtide"}}}),
		"search-blank":      Search(anyone, SearchView{}),
		"sign-in":           SignIn(anyone, SignInView{Next: "/channels/forge"}),
		"sign-in-wrong":     SignIn(anyone, SignInView{Name: "mara", Error: "Name and password do not fit."}),
		"sign-in-nobody":    SignIn(anyone, SignInView{NoAccounts: true}),
		"setup":             Setup(anyone, SetupView{State: SetupOpen, Secret: "sluice-set-x"}),
		"setup-wrong":       Setup(anyone, SetupView{State: SetupOpen, Secret: "sluice-set-x", Name: Field{"Mara M", "Use small letters, digits and inner dashes."}, Password: Field{Error: "A password has at least 10 characters."}, Error: "This did not work."}),
		"setup-locked":      Setup(anyone, SetupView{}),
		"setup-done":        Setup(anyone, SetupView{State: SetupDone}),
		"new-channel":       NewChannel(me, NewChannelView{}),
		"new-channel-wrong": NewChannel(me, NewChannelView{Name: Field{"linux-64", "“linux-64” cannot be had: clients would take it for a subdir."}, Private: true}),
		"remove-publisher":  RemovePublisher(me, RemovePublisherView{Head: forgeHead(), Publisher: publishers()[0], Rule: rule()}),
		"remove-last":       RemovePublisher(me, RemovePublisherView{Head: forgeHead(), Publisher: publishers()[0], Rule: rule(), AskName: true, Name: Field{"x", "Type forge to remove its last publisher."}}),
		"change-publisher":  Change(me, changeView()),
		"try":               Try(me, TryView{Head: forgeHead()}),
		"try-result":        Try(me, tryView()),
		"revoke-token":      RevokeToken(me, RevokeTokenView{Token: tokensView().Tokens[1]}),
		"revoke-unused":     RevokeToken(me, RevokeTokenView{Token: tokensView().Tokens[0]}),
		"package":           Package(me, packageView()),
		"package-attested":  Package(anyone, attestedPackage()),
		"package-partly":    Package(anyone, partlyAttested()),
		"package-uncounted": Package(anyone, uncountedPackage()),
		"package-lost":      Package(anyone, lostPackage()),
		"package-distrust":  Package(anyone, distrustedPackage()),
		"package-token":     Package(me, tokenPackage()),
		"package-mixed":     Package(anyone, mixedPackage()),
		"publishers":        Publishers(me, publishersView()),
		"channel":           Channel(me, channelView()),
		"tokens":            Tokens(me, tokensView()),
		"tokens-none":       Tokens(me, TokensView{User: "jo"}),
		"error-404-near":    Fail(anyone, FailureView{Status: 404, Title: "There is no package ripgre in forge", Sentence: "Nothing in this channel has that name.", Near: []Near{{"forge", "ripgrep"}}, Actions: []Action{{"Search forge", "/channels/forge?q=ripgre"}, {"All packages of forge", "/channels/forge"}}, Request: "9F3QD"}),
	}
	for _, status := range []int{400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503} {
		list[fmt.Sprintf("error-%d", status)] = Fail(anyone, Failure(anyone, status, "9F3QD"))
	}
	addChannels(list, me, anyone)
	addPublishers(list, me)
	addKeeping(list, me, anyone)
	return list
}

func addChannels(list map[string]templ.Component, me, anyone Frame) {
	three := 3
	private := channelView()
	private.Head.Private, private.Keys, private.Head.SeesAudit = true, &three, false
	list["channel-private"] = Channel(me, private)

	empty := ChannelView{Head: ChannelHead{Name: "forge"}}
	list["channel-empty"] = Channel(anyone, empty)
	empty.MayManage, empty.MayUpload = true, true
	empty.Head.SeesPublishers, empty.Head.SeesAudit = true, true
	list["channel-empty-owner"] = Channel(me, empty)

	filtered := channelView()
	filtered.Packages, filtered.Filter.Text, filtered.Filter.By = nil, "zzz", "token"
	list["channel-no-hit"] = Channel(me, filtered)

	made := tokensView()
	made.Mails, made.Mail = true, Field{Value: "mara@example.com"}
	made.Made = &MadeToken{ID: "4", Name: "read-laptop", Secret: "sluice-api-7Qm2xV9tKc4RzB1nHs8LwYd3PfJg6UaEo5TiXk0MhC2bqW"}
	list["tokens-made"] = Tokens(me, made)

	bad := tokensView()
	bad.Form = TokenForm{Name: Field{Error: "A token needs a name."}, May: Field{Value: "read,upload"}, Error: "No token was made."}
	bad.Mails, bad.Mail = true, Field{Value: "mara", Error: "This address cannot be taken."}
	list["tokens-wrong"] = Tokens(me, bad)

	pinned := packageView()
	pinned.Private, pinned.Pinned, pinned.Version, pinned.Latest = true, true, "1!15.1.0+local", "15.1.0"
	pinned.Files = pinned.Files[:1]
	pinned.Files[0].Depends, pinned.Before.Origin.Run.Workflow = nil, "old.yml"
	list["package-pinned-private"] = Package(me, pinned)

	hidden := tokenPackage()
	for i := range hidden.Files {
		hidden.Files[i].Origin = Origin{}
	}
	list["package-token-anonymous"] = Package(anyone, hidden)

	bare := packageView()
	for i := range bare.Files {
		bare.Files[i].Origin = Origin{Run: Run{Repository: "acme/forge", Workflow: "build.yml", Number: "7"}}
	}
	bare.Said, bare.Summary, bare.Before = Said{}, "", nil
	list["package-bare"] = Package(anyone, bare)
}

func addPublishers(list map[string]templ.Component, me Frame) {
	none := PublishersView{Head: forgeHead(), MayManage: true, Form: shortForm("github"), Keys: KeysView{MaySwitch: true}}
	none.Head.Publishers = 0
	list["publishers-none"] = Publishers(me, none)

	added := publishersView()
	added.Chosen, added.Added, added.Refused, added.Exchanges, added.Head.Private = "4", true, nil, nil, true
	added.Keys.Only, added.Keys.Count = true, 0
	added.Replaceable, added.RefuseV3 = true, true
	list["publishers-added"] = Publishers(me, added)

	asks := publishersView()
	asks.Form.Fields[0].Value, asks.Form.Fields[1].Value, asks.Form.Fields[2].Value = "acme", "tidewatch", "build.yml"
	asks.Form.Rule, asks.Form.Confirm, asks.Form.Understood = rule(), true, []string{"owner acme", "repository tidewatch", "workflow file build.yml"}
	asks.Form.Warnings = []string{"Any branch can publish, because no environment is named.", "No packages are named, so it covers every package of forge."}
	list["publishers-confirm"] = Publishers(me, asks)

	wrong := publishersView()
	wrong.Form.Fields[1].Field = Field{Value: "tide watch", Error: "A repository's name has no blank."}
	wrong.Form.Fields[2].Field, wrong.Form.Error = Field{Value: ".github/x.yml", Error: "The name only: x.yml"}, "Nothing was added."
	list["publishers-wrong"] = Publishers(me, wrong)

	other := publishersView()
	other.Chosen, other.Form = "2", shortForm("gitlab")
	other.Form.Issuers = append(other.Form.Issuers, Choice{"https://gitlab.com", "https://gitlab.com"})
	other.Form.Fields, other.Form.Environments = []NamedField{{Name: "project", Label: "Project", Help: "With its namespace.", Optional: true}}, false
	list["publishers-gitlab"] = Publishers(me, other)

	list["rule-new"] = Rule(me, RuleView{Head: forgeHead(), Form: ruleForm()})
	edit := RuleView{Head: forgeHead(), Publisher: publishers()[2], Form: ruleForm()}
	edit.Form.Version, edit.Form.OwnerID, edit.Form.RepositoryID, edit.Form.Rule, edit.Form.Confirm = "2", "9120357", "88310270", rule(), true
	edit.Form.Error, edit.Form.Refs, edit.Form.Files.Error = "Nothing was saved.", Field{"main", "Needs a full ref."}, "Needs a whole number."
	edit.Form.AnyRepository.Error = "Needs no repository beside it."
	list["rule-edit"] = Rule(me, edit)

	member := publishersView()
	member.MayManage, member.Head.SeesAudit, member.Chosen = false, false, ""
	member.Keys = KeysView{Count: 2}
	list["publishers-member"] = Publishers(me, member)
}
