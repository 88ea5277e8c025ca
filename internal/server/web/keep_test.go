package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// kept is a server whose channel forge has two versions of tide, the newer by run 987654, and a package by hand.
func kept(t *testing.T, s *servertest.Server) (ch channel.Channel, owner, maintainer reader) {
	t.Helper()
	ann, owner := person(t, s, "ann", false)
	ch = s.Channel(t, ann, "forge", channel.Public)
	s.Publisher(t, ch, trust.PublisherSpec{})
	publish(t, s, standin.Run{Owner: "acme", Repository: "forge", RunNumber: 1, RunID: 111}, pkg("tide", "1.0"))
	publish(t, s, standin.Run{Owner: "acme", Repository: "forge", RunNumber: 2, RunID: 987654}, pkg("tide", "2.0"), pkg("ebb", "1.0"))
	upload(t, s, "forge", s.Token(t, ann, nil, account.Upload), pkg("flow", "1.0"))
	return ch, owner, member(t, s, ch, "mia", channel.Maintainer)
}

const filesPath, changePath = "/channels/forge/files", "/channels/forge/files/change"

// From a run in the audit log to its files taken back, and to what everybody reads then.
func TestTakeBackARun(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		_, _, mia := kept(t, s)
		ask := changePath + "?kind=yank&repository=acme%2Fforge&run=987654"
		if links := mia.get(t, "/channels/forge/audit").is(t, 200).says(t, "Take back what this run published").links(t); !slices.Contains(links, ask) {
			t.Errorf("no link to %s among %q", ask, links)
		}
		mia.get(t, ask).is(t, 200).says(t, "Yank 2 files?", "tide-2.0-0.conda", "ebb-1.0-0.conda", "First end the run's publish tokens").saysNot(t, "tide-1.0-0.conda", "flow-1.0")
		form := []string{"kind", "yank", "run", "987654", "repository", "acme/forge", "end_tokens", "true"}
		mia.post(t, changePath, form...).is(t, 422).says(t, "say why: a reason is shown", "Yank 2 files?")
		nobody(s).get(t, "/channels/forge/packages/tide").is(t, 200).says(t, "tide 2.0")
		mia.post(t, changePath, append(form, "reason", "the run was taken over")...).goes(t, filesPath+"?repository=acme%2Fforge&run=987654")
		mia.get(t, filesPath+"?run=987654").is(t, 200).says(t, "tide-2.0-0.conda", "yanked", "the run was taken over — by mia").saysNot(t, "tide-1.0-0.conda")

		nobody(s).get(t, "/channels/forge/packages/tide").is(t, 200).says(t, "tide 1.0", "latest").saysNot(t, "Yank all")
		nobody(s).get(t, "/channels/forge/packages/tide/versions/2.0").is(t, 200).says(t, "Yanked.", "the run was taken over", "Lock files that name it keep working.", "Solvers take 1.0 instead.").
			saysNot(t, "pixi add", "mia")
		nobody(s).get(t, "/channels/forge/packages/ebb").is(t, 200).says(t, "No other version is left.")
		nobody(s).get(t, "/channels/forge").is(t, 200).says(t, "1.0 yanked")
		mia.get(t, "/channels/forge/audit?kind=files").is(t, 200).says(t, "Yanked 2 files: the run was taken over")
		mia.get(t, "/channels/forge/audit?kind=token").is(t, 200).says(t, "Ended the publish tokens of build.yml of acme/forge, run 2 attempt 1 for this channel")

		mia.get(t, ask).is(t, 200).says(t, "Yank 0 files?", "First end the run's publish tokens")
		mia.post(t, changePath, "kind", "unyank", "run", "987654").goes(t, filesPath+"?run=987654")
		mia.get(t, changePath+"?kind=unyank&run=987654").is(t, 200).says(t, "Nothing would change", "No file is meant by that.")
		nobody(s).get(t, "/channels/forge/packages/tide").is(t, 200).says(t, "tide 2.0")
	})
}

func TestDeleteOnPages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	_, ann, mia := kept(t, s)
	file := "noarch/flow-1.0-0.conda"
	ask := changePath + "?file=" + url.QueryEscape(file) + "&kind=delete"
	if links := ann.get(t, "/channels/forge/packages/flow").is(t, 200).links(t); !slices.Contains(links, ask) {
		t.Errorf("no link to %s among %q", ask, links)
	}
	if links := mia.get(t, "/channels/forge/packages/flow").is(t, 200).says(t, "Take", "Yank all").links(t); slices.Contains(links, ask) {
		t.Error("a maintainer is offered what only owners may do")
	}
	mia.get(t, ask).is(t, 403)
	mia.post(t, changePath, "kind", "delete", "file", file, "reason", "a secret").is(t, 403)
	ann.get(t, ask).is(t, 200).says(t, "Delete flow-1.0-0.conda?", "lock files that name it stop working", "It can be restored until")
	ann.postFrom(t, changePath, "cross-site", "kind", "delete", "file", file, "reason", "a secret").is(t, 403)
	nobody(s).get(t, "/channels/forge/packages/flow").is(t, 200)
	ann.post(t, changePath, "kind", "delete", "file", file, "reason", "a secret in it").goes(t, filesPath+"?file="+url.QueryEscape(file))
	nobody(s).get(t, "/channels/forge/packages/flow").is(t, 404)
	if status, _, _ := s.Get(t, "/forge/"+file, ""); status != http.StatusNotFound {
		t.Errorf("a deleted file: %d", status)
	}
	mia.get(t, filesPath+"?state=deleted").is(t, 200).says(t, "deleted", "a secret in it — by ann", "can be restored until")
	ann.get(t, changePath+"?kind=restore&name=flow").is(t, 200).says(t, "Restore flow-1.0-0.conda?")
	ann.post(t, changePath, "kind", "restore", "name", "flow").goes(t, filesPath+"?name=flow")
	nobody(s).get(t, "/channels/forge/packages/flow").is(t, 200)
}

func TestLabelsOnPages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	_, _, mia := kept(t, s)
	nobody(s).get(t, "/channels/forge").is(t, 200).saysNot(t, "/label/")
	mia.get(t, changePath+"?kind=move&name=tide&version=2.0").is(t, 200).says(t, "Move files from a label to another?", "There are: main.", "Show what would change")
	mia.get(t, changePath+"?kind=move&name=tide&version=2.0&label=main&to=noarch").is(t, 422).says(t, "clients would take for a subdir")
	mia.get(t, changePath+"?kind=move&name=tide&version=2.0&label=main&to=rc%2F2").is(t, 200).says(t, "Move tide-2.0-0.conda from main to rc/2?", "Move 1 file")
	mia.post(t, changePath, "kind", "move", "name", "tide", "version", "2.0", "label", "main", "to", "rc/2").goes(t, filesPath+"?name=tide&version=2.0")
	nobody(s).get(t, "/channels/forge").is(t, 200).says(t, "Labels", "rc/2 · 1 file", s.URL+"/forge/label/rc/2")
	nobody(s).get(t, "/channels/forge/packages/tide").is(t, 200).says(t, "tide 1.0")
	v2 := nobody(s).get(t, "/channels/forge/packages/tide/versions/2.0").is(t, 200).says(t, "label rc/2", s.URL+"/forge/label/rc/2")
	for _, l := range v2.links(t) { // the address of the file is that of the label
		if strings.HasSuffix(l, ".conda") && strings.Contains(l, "/label/") {
			nobody(s).get(t, l).is(t, 200)
		}
	}
	if !slices.Contains(v2.links(t), "/forge/label/rc/2/noarch/tide-2.0-0.conda") {
		t.Errorf("no download at the label's address among %q", v2.links(t))
	}
	mia.post(t, changePath, "kind", "take_out", "in", "rc/2", "label", "rc/2").goes(t, filesPath+"?in=rc%2F2")
	mia.get(t, filesPath+"?state=held").is(t, 200).says(t, "tide-2.0-0.conda", "held", "none")
	nobody(s).get(t, "/channels/forge").is(t, 200).saysNot(t, "/label/")
}

func TestFilesPage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ch, ann, mia := kept(t, s)
	nobody(s).get(t, filesPath).is(t, 401)
	member(t, s, ch, "rob", channel.Reader).get(t, filesPath).is(t, 403)
	all := mia.get(t, filesPath).is(t, 200).says(t, "4 files, the newest first", "All files of this run", "ann, with an API token").saysNot(t, "With all files that match")
	if text := all.text(t); strings.Index(text, "flow-1.0") > strings.Index(text, "tide-1.0") {
		t.Error("the newest does not come first")
	}
	mia.get(t, filesPath+"?name=t*").is(t, 200).says(t, "2 files", "With all files that match", "Take out of a label").saysNot(t, "Restore", "flow-1.0")
	ann.get(t, filesPath+"?name=t*").is(t, 200).says(t, "Restore")
	mia.get(t, filesPath+"?since=2000-01-01&before=2000-01-02").is(t, 200).says(t, "No file matches")
	mia.get(t, filesPath+"?since=yesterday").is(t, 422).says(t, "is no time: write 2026-08-20")
	mia.get(t, filesPath+"?state=lost").is(t, 422).says(t, "is no state of a file")
	mia.get(t, filesPath+"?cursor=x").is(t, 422).says(t, "begin with the first page")
	mia.get(t, changePath+"?kind=patch&name=tide").is(t, 400)
	mia.get(t, changePath+"?name=tide").is(t, 400)
	mia.get(t, changePath+"?kind=yank").is(t, 422).says(t, "say which files are meant")
	mia.get(t, changePath+"?kind=yank&file=noarch%2Fnone-1-0.conda").is(t, 422).says(t, "There is no noarch/none-1-0.conda")
}

func TestWhatAChannelTakes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	_, ann, mia := kept(t, s)
	ann.get(t, "/channels/forge/publishers").is(t, 200).says(t, "A published file stays as it is", "Let files be replaced by force", "Refuse revision 3")
	mia.get(t, "/channels/forge/publishers").is(t, 200).saysNot(t, "Let files be replaced by force")
	mia.post(t, "/channels/forge/uploads", "replaceable", "true").is(t, 403)
	ann.post(t, "/channels/forge/uploads", "replaceable", "perhaps").is(t, 400)
	ann.post(t, "/channels/forge/uploads").is(t, 400)
	ann.post(t, "/channels/forge/uploads", "replaceable", "true").goes(t, "/channels/forge/publishers#takes")
	ann.post(t, "/channels/forge/uploads", "refuse_v3", "true").goes(t, "/channels/forge/publishers#takes")
	ann.get(t, "/channels/forge/publishers").is(t, 200).says(t, "can be replaced by other bytes", "Take revision 3, too", "Let published files stay as they are")
	ann.post(t, "/channels/forge/uploads", "replaceable", "false").goes(t, "/channels/forge/publishers#takes")
	ann.get(t, "/channels/forge/publishers").is(t, 200).says(t, "A published file stays as it is", "Take revision 3, too")
}

// What the channel would not take now does not come back, and the page says so before anybody tries.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		_, owner, mia := kept(t, s)
		mia.post(t, changePath, "kind", "yank", "name", "tide", "reason", "built on a broken machine").goes(t, filesPath+"?name=tide")
		const demands = "/channels/forge/attestations"
		form := func(mode string) []string {
			return []string{"mode", mode, "signer", "run", "target_channel", "listed", "no_regress", "warn", "confirmed", "attestations: required, before optional"}
		}
		owner.post(t, demands, form("required")...).is(t, 200).says(t, "Nothing was saved yet")
		owner.post(t, demands, append(form("required"), "allow_absent", "true", "other_statements", "true")...).goes(t, demands)
		const held = "noarch/tide-1.0-0.conda has no attestation, and channel forge takes tide only with one"
		mia.get(t, changePath+"?kind=unyank&name=tide").is(t, 422).says(t, held, "So it is with 1 more file.")
		mia.post(t, changePath, "kind", "unyank", "name", "tide").is(t, 422).says(t, held)
		nobody(s).get(t, "/channels/forge/packages/tide").is(t, 200).says(t, "No other version is left.")
		owner.post(t, demands, append(form("optional"), "allow_absent", "true", "other_statements", "true")...).goes(t, demands)
		mia.post(t, changePath, "kind", "unyank", "name", "tide").goes(t, filesPath+"?name=tide")
	})
}
