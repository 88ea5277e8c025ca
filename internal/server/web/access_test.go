package web_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/trust"
)

// TestWhoSeesWhat asks for every page as every kind of reader. A status of 401 is a page with a way to sign in.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		open, lab := s.Channel(t, ann, "open", channel.Public), s.Channel(t, ann, "lab", channel.Private)
		readers := map[string]reader{"nobody": nobody(s), "owner": owner}
		_, readers["stranger"] = person(t, s, "eve", false)
		_, readers["admin"] = person(t, s, "root", true)
		for _, r := range []channel.Role{channel.Reader, channel.Maintainer} {
			who := member(t, s, open, "the-"+string(r), r)
			readers[string(r)] = who
			if err := s.DB.SetMember(t.Context(), lab.ID, "the-"+string(r), r, event()); err != nil {
				t.Fatal(err)
			}
		}
		for _, ch := range []channel.Channel{open, lab} {
			upload(t, s, ch.Name.String(), s.Token(t, ann, nil, account.Upload), pkg("tide", "1.0"))
			s.Publisher(t, ch, trust.PublisherSpec{})
		}
		all := []string{"nobody", "stranger", "reader", "maintainer", "owner", "admin"}
		const no, in, gone = http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound
		for _, tt := range []struct {
			paths string
			want  [6]int // in the order of all
		}{
			{"/ /search /search?q=tide /sign-in-not", [6]int{200, 200, 200, 200, 200, 200}},
			{"/channels/open /channels/open?q=tide&by=token&subdir=noarch /channels/open/packages/tide /channels/open/packages/tide/versions /channels/open/packages/tide/versions/1.0", [6]int{200, 200, 200, 200, 200, 200}},
			{"/channels/open/publishers /channels/open/publishers/1 /channels/open/publishers/1/workflow", [6]int{in, no, 200, 200, 200, 200}},
			{"/channels/open/publishers/1/remove", [6]int{in, no, no, no, 200, 200}},
			{"/channels/open/audit /channels/open/audit?kind=refused", [6]int{in, no, no, 200, 200, 200}},
			{"/channels/open/attestations", [6]int{in, no, no, no, 200, 200}},
			{"/channels/lab/attestations", [6]int{gone, gone, no, no, 200, 200}},
			{"/channels/open/check", [6]int{in, no, no, no, 200, 200}},
			{"/channels/lab/check", [6]int{gone, gone, no, no, 200, 200}},
			{"/channels/lab /channels/lab/packages/tide /channels/lab/packages/tide/versions /channels/lab/packages/tide/versions/1.0", [6]int{gone, gone, 200, 200, 200, 200}},
			{"/channels/lab/publishers /channels/lab/publishers/2 /channels/lab/publishers/2/workflow", [6]int{gone, gone, 200, 200, 200, 200}},
			{"/channels/lab/publishers/2/remove", [6]int{gone, gone, no, no, 200, 200}},
			{"/channels/lab/audit", [6]int{gone, gone, no, 200, 200, 200}},
			{"/account/tokens /account/new-channel", [6]int{in, 200, 200, 200, 200, 200}},
			{"/channels/none /channels/none/publishers /channels/none/audit /channels/none/packages/tide /channels/linux-64 /channels/UPPER", [6]int{gone, gone, gone, gone, gone, gone}},
			{"/channels/open/packages/none /channels/open/packages/No /channels/open/packages/tide/versions/2 /channels/open/other", [6]int{gone, gone, gone, gone, gone, gone}},
			{"/channels/open/publishers/2 /channels/open/publishers/x", [6]int{in, no, gone, gone, gone, gone}},
			{"/account/tokens/1/revoke", [6]int{in, gone, gone, gone, 200, gone}},
			{"/account/nothing /channels/open/packages /static/none.css", [6]int{gone, gone, gone, gone, gone, gone}},
			{"/channels/open?by=luck /channels/open?subdir=UP /channels/open?q=%00 /search?q=%ff /channels/open?q=%zz", [6]int{400, 400, 400, 400, 400, 400}},
		} {
			for path := range strings.SplitSeq(tt.paths, " ") {
				if path == "/sign-in-not" {
					continue
				}
				for i, name := range all {
					a := readers[name].get(t, path)
					if a.status != tt.want[i] {
						t.Errorf("%s as %s: %d, want %d", path, name, a.status, tt.want[i])
					}
					checkHeaders(t, path, a)
				}
			}
		}
	})
}

// checkHeaders holds what every page promises, refusals too.
func checkHeaders(t *testing.T, path string, a answer) {
	t.Helper()
	const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if a.Get("Content-Security-Policy") != policy || a.Get("Referrer-Policy") != "same-origin" || a.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: headers %v", path, a.Header)
	}
	if cache := a.Get("Cache-Control"); !strings.HasPrefix(cache, "private, no-cache") && cache != "no-store" {
		t.Errorf("%s: Cache-Control %q", path, cache)
	}
	if strings.HasSuffix(path, "/workflow") && a.status == http.StatusOK {
		return
	}
	if kind := a.Get("Content-Type"); kind != "text/html; charset=utf-8" || !strings.Contains(a.body, "<h1") {
		t.Errorf("%s: %s is no page:\n%s", path, kind, a.body)
	}
	if a.status == http.StatusUnauthorized && (!strings.Contains(a.body, "/sign-in?next=") || strings.Contains(a.Get("WWW-Authenticate"), "Basic")) {
		t.Errorf("%s: 401 without a way to sign in, or with a browser's own window: %q", path, a.Get("WWW-Authenticate"))
	}
}

// TestPrivateChannelsLeaveNoTrace compares what strangers see of a private channel with what they see of none.
func TestPrivateChannelsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		s.Channel(t, ann, "open", channel.Public)
		lab := s.Channel(t, ann, "hidden-lab", channel.Private)
		key := s.Token(t, ann, nil, account.Upload)
		upload(t, s, "open", key, pkg("tide", "1.0"))
		upload(t, s, "hidden-lab", key, pkg("tide-secret", "6.6.6"))
		_, stranger := person(t, s, "eve", false)
		limited := reader{s: s, header: http.Header{"Authorization": {"Bearer " + s.Token(t, ann, &channel.Channel{ID: 1, Name: lab.Name}, account.Read)}}}
		ended := reader{s: s, session: "sluice-ses-nothing"}

		for name, who := range map[string]reader{"nobody": nobody(s), "a stranger": stranger, "a token for another channel": limited, "an ended session": ended} {
			for _, path := range []string{"/", "/?channel=hidden", "/search?q=tide", "/search?q=tide-secret", "/search?q=tide-sekret"} {
				if body := who.get(t, path).is(t, 200).body; strings.Contains(strings.ReplaceAll(body, path, ""), "hidden-lab") || strings.Contains(body, "6.6.6") ||
					strings.Contains(body, "/packages/tide-secret") || strings.Contains(body, "2 channels") {
					t.Errorf("%s learns of the private channel at %s", name, path)
				}
			}
			for _, rest := range []string{"", "/packages/tide-secret", "/packages/tide-sekret", "/publishers", "/audit", "/packages/tide-secret/versions/6.6.6"} {
				private, absent := who.get(t, "/channels/hidden-lab"+rest).is(t, 404), who.get(t, "/channels/hidden-bal"+rest).is(t, 404)
				if a, b := bare(private), strings.ReplaceAll(bare(absent), "hidden-bal", "hidden-lab"); a != b {
					t.Errorf("%s at %q: a private channel answers\n%s\nand none answers\n%s", name, rest, a, b)
				}
			}
		}
		nobody(s).get(t, "/channels/hidden-lab").says(t, "Signing in may help", "Sign in")
		stranger.get(t, "/channels/hidden-lab").saysNot(t, "Signing in may help")
		owner.get(t, "/").is(t, 200).says(t, "hidden-lab", "6.6.6", "2 channels")
		owner.get(t, "/search?q=tide-sekret").says(t, "tide-secret")
	})
}

// TestLinksOfAPrivateChannelWork for those who are signed in, and lead others nowhere.
func TestLinksOfAPrivateChannelWork(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ann, owner := person(t, s, "ann", false)
	s.Channel(t, ann, "lab", channel.Private)
	_, stranger := person(t, s, "eve", false)
	upload(t, s, "lab", s.Token(t, ann, nil, account.Upload), pkg("tide", "1.0"))
	for _, l := range owner.get(t, "/channels/lab/packages/tide").is(t, 200).says(t, "Sign in once").links(t) {
		if l, _, _ = strings.Cut(l, "#"); strings.HasPrefix(l, "/") {
			owner.get(t, l).is(t, 200)
		}
	}
	const file = "/lab/noarch/tide-1.0-0.conda"
	if a := owner.get(t, file).is(t, 200); !strings.HasPrefix(a.Get("Cache-Control"), "private") || !strings.Contains(a.Get("Vary"), "Cookie") || a.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a private file with a session: %v", a.Header)
	}
	stranger.get(t, file).is(t, 403)
	nobody(s).get(t, file).is(t, 401)
}

// bare is a page without what differs from request to request.
func bare(a answer) string {
	body := a.body
	for _, cut := range [][2]string{{"Request ", "."}, {"<time datetime", "</time>"}} {
		for {
			before, rest, ok := strings.Cut(body, cut[0])
			if !ok {
				break
			}
			_, after, _ := strings.Cut(rest, cut[1])
			body = before + after
		}
	}
	return body
}

// TestNamesOfPeople are for members of the channel alone.
func TestNamesOfPeople(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		quiet, _ := person(t, s, "quietwriter", false)
		ch := s.Channel(t, quiet, "open", channel.Public)
		upload(t, s, "open", s.Token(t, quiet, nil, account.Upload), pkg("tide", "1.0"))
		_, stranger := person(t, s, "eve", false)
		insider := member(t, s, ch, "jo", channel.Reader)
		for _, path := range []string{"/", "/channels/open", "/channels/open/packages/tide", "/channels/open/packages/tide/versions", "/search?q=tide"} {
			for _, who := range []reader{nobody(s), stranger} {
				who.get(t, path).is(t, 200).saysNot(t, "quietwriter")
			}
			insider.get(t, path).is(t, 200)
		}
		insider.get(t, "/channels/open/packages/tide").says(t, "Uploaded by quietwriter with an API token.")
		insider.get(t, "/").says(t, "quietwriter, with an API token")
		nobody(s).get(t, "/channels/open/packages/tide").says(t, "Uploaded by a member of open with an API token.")
	})
}
