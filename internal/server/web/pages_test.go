package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// publish lets a run publish packages into forge.
func publish(t *testing.T, s *servertest.Server, run standin.Run, list ...build.Package) {
	t.Helper()
	files := map[string][]byte{}
	for _, p := range list {
		body, err := p.Conda()
		if err != nil {
			t.Fatal(err)
		}
		files[p.Stem()+".conda"] = body
	}
	if err := s.Job(run).Publish(t.Context(), s.URL, "forge", files); err != nil {
		t.Fatal(err)
	}
}

func TestPackagePage(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "owner-ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		s.Publisher(t, ch, trust.PublisherSpec{})
		run := standin.Run{Owner: "acme", Repository: "forge", RunNumber: 1234, RunID: 987654, SHA: "abc1234def5678abc1234def5678abc1234def56"}
		publish(t, s, run, pkg("libtide", "1.0"), pkg("tide", "1.0", "libtide >=1", "python >=3.10", "__glibc"))
		linux := pkg("tide", "1.0", "libtide >=1")
		linux.Subdir, linux.Noarch = "linux-64", ""
		run.Attempt = 2
		publish(t, s, run, linux)
		upload(t, s, "forge", s.Token(t, ann, nil, account.Upload), pkg("tide", "2.0a1"))

		const path = "/channels/forge/packages/tide"
		v1 := nobody(s).get(t, path).is(t, 200).says(t,
			"forge / tide 1.0", "latest", "Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on main. No stored key was used.",
			"run 1234 attempt 2", "Files of 1.0", "tide-1.0-0.conda", "in forge", "your system", "another channel",
			"pixi workspace channel add "+s.URL+"/forge", "pixi add tide", "BSD-3-Clause", "2.0a1", "Versions 2", "2 of 2 files",
		).saysNot(t, "owner-ann", "Allow this")
		site := s.CI.URL() + "/acme/forge"
		links := v1.links(t)
		for _, want := range []string{
			site, site + "/actions/runs/987654/attempts/1", site + "/actions/runs/987654/attempts/2", site + "/commit/" + run.SHA,
			site + "/blob/" + run.SHA + "/.github/workflows/build.yml", "/forge/noarch/tide-1.0-0.conda", "/forge/linux-64/tide-1.0-0.conda",
			"/channels/forge/packages/libtide", "/api/v1/channels/forge/packages/noarch/tide-1.0-0.conda", "/channels/forge/packages/tide/versions/2.0a1",
			"https://example.org/tide",
		} {
			if !slices.Contains(links, want) {
				t.Errorf("no link to %s among %q", want, links)
			}
		}
		for _, l := range links { // whatever the page leads to on this server is there
			if l, _, _ = strings.Cut(l, "#"); strings.HasPrefix(l, "/") && !strings.HasPrefix(l, "/sign-in") {
				owner.get(t, l).is(t, 200)
			}
		}
		if slices.Contains(links, "/channels/forge/publishers/1") || !slices.Contains(owner.get(t, path).links(t), "/channels/forge/publishers/1") {
			t.Error("the publisher is linked for members alone")
		}
		nobody(s).get(t, path+"/versions/2.0a1").is(t, 200).says(t, "Published another way than the version before.",
			"1.0 came from build.yml of acme/forge; this version was uploaded with an API token.", "tide==2.0a1", "the latest is 1.0", "This server cannot say where it was built.")
		nobody(s).get(t, path+"/versions").is(t, 200).says(t, "1–2 of 2, the highest first")
		nobody(s).get(t, "/channels/forge/packages/tidde").is(t, 404).says(t, "There is no package tidde in forge", "Did you mean tide?")
		nobody(s).get(t, path+"/versions/1.0.0").is(t, 404).says(t, "There is no version 1.0.0 of tide")

		// Removing the rule takes nothing from what it let in, but there is no page to lead to any more.
		owner.post(t, "/channels/forge/publishers/1/remove").goes(t, "/channels/forge/publishers")
		if after := owner.get(t, path).says(t, "Published by build.yml of acme/forge"); slices.Contains(after.links(t), "/channels/forge/publishers/1") {
			t.Error("a removed publisher is linked")
		}
	})
}

// TestPrivateRepositoriesAreNotLinked for readers who could not open them, and who should not try.
func TestPrivateRepositoriesAreNotLinked(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ann, owner := person(t, s, "ann", false)
	s.Publisher(t, s.Channel(t, ann, "forge", channel.Public), trust.PublisherSpec{})
	publish(t, s, standin.Run{Owner: "acme", Repository: "forge", Visibility: "private"}, pkg("tide", "1.0"))
	for _, path := range []string{"/channels/forge/packages/tide", "/channels/forge", "/"} {
		if links := nobody(s).get(t, path).says(t, "acme/forge").links(t); strings.Contains(strings.Join(links, " "), s.CI.URL()) {
			t.Errorf("%s links to a private repository: %q", path, links)
		}
	}
	if links := owner.get(t, "/channels/forge/packages/tide").links(t); !strings.Contains(strings.Join(links, " "), s.CI.URL()+"/acme/forge/actions/runs/") {
		t.Errorf("a member gets no link to the run: %q", links)
	}
}

func TestChannelPage(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "owner-ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		owner.get(t, "/channels/forge").is(t, 200).says(t, "Nothing is published here yet", "Add a trusted publisher", "Make an API token", "0 keys stored", "Nobody has published yet.")
		nobody(s).get(t, "/channels/forge").is(t, 200).says(t, "Nothing is published here yet").saysNot(t, "Add a trusted publisher", "Audit log")

		s.Publisher(t, ch, trust.PublisherSpec{})
		publish(t, s, standin.Run{Owner: "acme", Repository: "forge", RunNumber: 7}, pkg("tide", "1.0"), pkg("wave", "3"))
		nobody(s).get(t, "/channels/forge").is(t, 200).says(t, "2 packages, 2 artifacts,", "2 of 2 artifacts published by CI", "0 keys stored", "No API token can publish to forge.",
			"About tide", "acme/forge · build.yml", "weak", "run 7", "tide 1.0 from run 7 of acme/forge", "1–2 of 2, by name").saysNot(t, "owner-ann", "Audit log")

		key := s.Token(t, ann, nil, account.Upload)
		upload(t, s, "forge", key, pkg("oldie", "1.0"))
		nobody(s).get(t, "/channels/forge").is(t, 200).says(t, "2 of 3 artifacts published by CI", "1 key can publish here")
		nobody(s).get(t, "/channels/forge?by=token").is(t, 200).says(t, "1–1 of 1, by name", "oldie").saysNot(t, "About tide")
		nobody(s).get(t, "/channels/forge?by=ci&q=TID").is(t, 200).says(t, "1–1 of 1, by name", "About tide").saysNot(t, "About wave")
		nobody(s).get(t, "/channels/forge?subdir=linux-64").is(t, 200).says(t, "No package matches", "3 packages without the filter.")
		owner.post(t, "/account/tokens/1/revoke").goes(t, "/account/tokens")
		nobody(s).get(t, "/channels/forge").is(t, 200).says(t, "0 keys stored", "2 of 3 artifacts published by CI")
	})
}

// TestLongLists walks through more packages than a page holds.
func TestLongLists(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, _ := person(t, s, "ann", false)
		s.Channel(t, ann, "forge", channel.Public)
		key := s.Token(t, ann, nil, account.Upload)
		for i := range 52 {
			upload(t, s, "forge", key, pkg(fmt.Sprintf("tide%02d", i), "1.0"))
			upload(t, s, "forge", key, pkg("versions", fmt.Sprintf("1.%d", i)))
		}
		walk := func(path, next string, want ...string) {
			t.Helper()
			for i, says := range want {
				a := nobody(s).get(t, path).is(t, 200).says(t, says)
				path = ""
				for _, n := range a.nodes(t) {
					if n.Data == "a" && attr(n, "rel") == "next" {
						path = attr(n, "href")
					}
				}
				if (path == "") != (i == len(want)-1) {
					t.Fatalf("after %q there is %q", says, path)
				}
				if first := slices.Contains(a.links(t), next); first != (i > 0) {
					t.Errorf("%q: a way back to the beginning: %v", says, first)
				}
			}
		}
		walk("/channels/forge?q=tide", "/channels/forge?q=tide", "1–50 of 52, by name", "51–52 of 52, by name")
		walk("/search?q=tide", "/search?q=tide", "1–50 of 52", "51–52 of 52")
		nobody(s).get(t, "/channels/forge/packages/versions/versions").is(t, 200).says(t, "1–50 of 52, the highest first", "Older versions")
		nobody(s).get(t, "/channels/forge/packages/versions/versions?after=1.2").is(t, 200).says(t, "51–52 of 52", "First page").saysNot(t, "1.51", "Older versions")
		nobody(s).get(t, "/channels/forge/packages/versions").is(t, 200).says(t, "All 52 versions", "versions 1.51 latest")
		nobody(s).get(t, "/channels/forge/packages/versions/versions/1.0").is(t, 200).says(t, "the latest is 1.51")
		// The exact name is first, wherever the order of names has it.
		upload(t, s, "forge", key, pkg("z", "1.0"))
		upload(t, s, "forge", key, pkg("lazy", "1.0"))
		if text := nobody(s).get(t, "/search?q=Z").is(t, 200).text(t); strings.Index(text, "forge / z") > strings.Index(text, "forge / lazy") {
			t.Errorf("z comes after lazy: %s", text)
		}
		nobody(s).get(t, "/search?q=tidee51").is(t, 200).says(t, "No package matches", "Close to it: tide51")
	})
}

// TestHostileText publishes a package, and lets a run say things of itself, that try to break out of a page.
func TestHostileText(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		const evil = "<script>alert(1)</script>\u202egnp.exe\u200b\"'><img src=x onerror=1>"
		ann, owner := person(t, s, "ann", true)
		ch, err := s.Channels.Create(t.Context(), actor(ann), ann.ID, "forge", channel.Public, evil)
		if err != nil {
			t.Fatal(err)
		}
		s.Publisher(t, ch, trust.PublisherSpec{})
		p := pkg("tide", "1.0", "libx "+evil)
		p.License = evil
		p.About = build.About{Summary: evil, Home: "javascript:alert(1)", DocURL: "https://example.org/\"onclick=1", DevURL: "data:text/html,x", Description: evil}
		job := s.CI.Start(standin.Run{Owner: "acme", Repository: "forge"})
		claims := job.Claims("127.0.0.1")
		claims["ref"], claims["environment"], claims["runner_environment"], claims["head_ref"] = "refs/heads/"+evil, evil, evil, evil
		claims["workflow_ref"], claims["sha"] = "acme/forge/.github/workflows/build.yml@refs/heads/"+evil, evil
		claims["job_workflow_ref"] = claims["workflow_ref"]
		id, err := s.CI.Sign(nil, claims)
		if err != nil {
			t.Fatal(err)
		}
		runner := s.Job(standin.Run{})
		bearer, err := runner.Mint(t.Context(), s.URL, id)
		if err != nil {
			bearer = s.PublishToken(t) // such claims are not taken at all, which will do
		}
		upload(t, s, "forge", bearer, p)
		claims["workflow_ref"] = "acme/forge/.github/workflows/" + evil + ".yml@refs/heads/main"
		claims["jti"] = "another"
		if id, err = s.CI.Sign(nil, claims); err != nil {
			t.Fatal(err)
		}
		if _, err := runner.Mint(t.Context(), s.URL, id); err == nil {
			t.Fatal("another workflow got a token")
		}
		tokenNamed := s.Token(t, ann, nil)
		for _, path := range []string{
			"/", "/channels/forge", "/channels/forge/packages/tide", "/channels/forge/packages/tide/versions", "/channels/forge/publishers", "/channels/forge/audit",
			"/account/tokens", "/search?q=" + "%3Cscript%3Ealert(1)%3C/script%3E", "/?channel=%3Cscript%3Ealert(1)%3C/script%3E", "/channels/forge?q=%3Cscript%3Ealert(1)%3C/script%3E",
			"/channels/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/channels/forge/packages/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/channels/forge/publishers/%3Cscript%3E",
			"/channels/forge/publishers?owner=%3Cscript%3Ealert(1)%3C/script%3E&repository=%22%3E%3Cimg%20src=x%3E", "/sign-in?next=%22%3E%3Cscript%3E",
		} {
			a := owner.get(t, path)
			if a.status >= 500 {
				t.Errorf("%s: %d", path, a.status)
			}
			checkHarmless(t, path, a)
		}
		checkHarmless(t, "new token", owner.post(t, "/account/tokens", "name", "<script>alert(1)</script>", "may", "read", "days", "7").is(t, 200))
		checkHarmless(t, "new channel", owner.post(t, "/account/new-channel", "name", evil, "description", evil).is(t, 422))
		checkHarmless(t, "publisher", owner.post(t, "/channels/forge/publishers", "owner", evil, "repository", evil, "workflow", evil, "environment", evil, "packages", evil).is(t, 422))
		if tokenNamed == "" {
			t.Fatal("no token")
		}
	})
}

// checkHarmless looks for elements and attributes that no page of ours has, and for characters that turn text around.
func checkHarmless(t *testing.T, what string, a answer) {
	t.Helper()
	for _, n := range a.nodes(t) {
		switch n.Data {
		case "script", "img", "iframe", "object", "base":
			t.Errorf("%s: there is a <%s>", what, n.Data)
		}
		for _, at := range n.Attr {
			if strings.HasPrefix(at.Key, "on") || at.Key == "style" || at.Key == "href" && (strings.HasPrefix(at.Val, "javascript:") || strings.HasPrefix(at.Val, "data:text")) {
				t.Errorf("%s: <%s %s=%q>", what, n.Data, at.Key, at.Val)
			}
		}
		if n.Data == "input" { // fields give back what was typed; a browser shows it in a box of its own
			continue
		}
		if strings.ContainsAny(n.Data, "\u202e\u200b") {
			t.Errorf("%s: hidden characters in %q", what, n.Data)
		}
	}
}

func TestAuditPage(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		owner.post(t, "/channels/forge/publishers", "repository_owner", "acme", "repository", "forge", "workflow", "build.yml", "environment", "release", "packages", "tide").goes(t, "/channels/forge/publishers/1#publisher-1")
		publish(t, s, standin.Run{Owner: "acme", Repository: "forge", Environment: "release", RunNumber: 12, Attempt: 2}, pkg("tide", "1.0"))
		log := owner.get(t, "/channels/forge/audit").is(t, 200).says(t, "run 12 attempt 2", "acme/forge, build.yml", "Uploaded noarch/tide-1.0-0.conda", "Got a publish token, good until",
			"Added a publisher: Runs of build.yml in acme/forge with environment release may publish tide of forge", "ann in a browser", "Made the public channel forge")
		if !slices.Contains(log.links(t), "/channels/forge/packages/tide/versions/1.0") {
			t.Errorf("no link to what was published: %q", log.links(t))
		}
		owner.get(t, "/channels/forge/audit?kind=upload").is(t, 200).says(t, "1 event").saysNot(t, "Got a publish token")
		owner.get(t, "/channels/forge/audit?kind=refused").is(t, 200).says(t, "No event matches")
		owner.get(t, "/channels/forge/audit?kind=x").is(t, 400)
		owner.get(t, "/channels/forge/audit?before=x").is(t, 400)

		e := event()
		e.ChannelID, e.Channel, e.Sentence, e.Actor = ch.ID, "forge", "filled the log", actor(ann)
		for range 101 {
			if err := s.DB.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		owner.get(t, "/channels/forge/audit?kind=people").is(t, 200).says(t, "100 events", "Older").saysNot(t, "First page", "Made the public")
		var older string
		for _, n := range owner.get(t, "/channels/forge/audit?kind=people").nodes(t) {
			if attr(n, "rel") == "next" {
				older = attr(n, "href")
			}
		}
		owner.get(t, older).is(t, 200).says(t, "2 events", "First page", "Made the public channel forge").saysNot(t, "Older")
	})
}

// TestHTTP holds what browsers and caches rely on.
func TestHTTP(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ann, owner := person(t, s, "ann", false)
	s.Channel(t, ann, "forge", channel.Public)
	first := nobody(s).get(t, "/channels/forge").is(t, 200)
	tag := first.Get("ETag")
	if again := nobody(s).do(t, http.MethodGet, "/channels/forge", nil, http.Header{"If-None-Match": {tag}}); again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("the same page again: %d", again.status)
	}
	if other := owner.do(t, http.MethodGet, "/channels/forge", nil, http.Header{"If-None-Match": {tag}}); other.status != http.StatusOK {
		t.Errorf("the page of another reader: %d", other.status)
	}
	if head := nobody(s).do(t, http.MethodHead, "/channels/forge", nil, nil); head.status != 200 || head.body != "" || head.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %v", head.status, head.Header)
	}
	if head := nobody(s).do(t, http.MethodHead, "/channels/none", nil, nil); head.status != 404 || head.body != "" {
		t.Errorf("HEAD of nothing: %d", head.status)
	}
	nobody(s).get(t, "/channels").goes(t, "/")
	nobody(s).get(t, "/channels/").goes(t, "/channels")
	nobody(s).get(t, "/channels/forge/").goes(t, "/channels/forge")
	nobody(s).get(t, "/forge").goes(t, "/channels/forge")
	for path, allow := range map[string]string{"/": "GET, HEAD", "/channels/forge": "GET, HEAD", "/sign-out": "POST", "/account/tokens": "GET, HEAD, POST"} {
		a := nobody(s).do(t, http.MethodDelete, path, nil, nil).is(t, 405)
		if a.Get("Allow") != allow || !strings.Contains(a.body, "<h1") {
			t.Errorf("%s: Allow %q", path, a.Get("Allow"))
		}
	}
	var style string
	for _, n := range first.nodes(t) {
		if n.Data == "link" && attr(n, "rel") == "stylesheet" {
			style = attr(n, "href")
		}
	}
	css := nobody(s).get(t, style).is(t, 200)
	if css.Get("Content-Type") != "text/css; charset=utf-8" || css.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("style sheet %v", css.Header)
	}
	big := strings.NewReader("name=" + strings.Repeat("a", 70<<10))
	owner.do(t, http.MethodPost, "/account/new-channel", big, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}).is(t, 413)
	owner.do(t, http.MethodPost, "/account/new-channel", strings.NewReader("name=%zz"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}).is(t, 400)
	owner.do(t, http.MethodPost, "/account/new-channel", strings.NewReader("name=%00"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}).is(t, 400)
}
