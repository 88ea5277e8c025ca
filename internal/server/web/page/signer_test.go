package page

import (
	"strings"
	"testing"
)

// Links are made only of known hosts and of parts of the form that these give them; everything else stays text.
func TestSignerLinks(t *testing.T) {
	github := signed().Signer
	gitlab := Signer{
		Issuer: "https://gitlab.com", Repository: "https://gitlab.com/acme/tools/forge", Workflow: "https://gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/heads/main",
		Run: "https://gitlab.com/acme/tools/forge/-/jobs/17", Commit: github.Commit, Linked: true,
	}
	of := func(s Signer, change func(*Signer)) Signer {
		change(&s)
		return s
	}
	hub := signerLinks{
		repository: "https://github.com/acme/forge", commit: "https://github.com/acme/forge/commit/" + github.Commit, run: "https://github.com/acme/forge/actions/runs/9876543210/attempts/1",
		workflow: "https://github.com/acme/forge/blob/" + github.Commit + "/.github/workflows/build.yml",
	}
	lab := signerLinks{
		repository: gitlab.Repository, commit: gitlab.Repository + "/-/commit/" + github.Commit, run: gitlab.Run, workflow: gitlab.Repository + "/-/blob/" + github.Commit + "/.gitlab-ci.yml",
	}
	less := func(l signerLinks, change func(*signerLinks)) signerLinks {
		change(&l)
		return l
	}
	for name, tt := range map[string]struct {
		s    Signer
		want signerLinks
	}{
		"GitHub":               {github, hub},
		"GitLab":               {gitlab, lab},
		"not for this reader":  {of(github, func(s *Signer) { s.Linked = false }), signerLinks{}},
		"another issuer":       {of(github, func(s *Signer) { s.Issuer = "https://token.actions.githubusercontent.com.evil.dev" }), signerLinks{}},
		"GitLab's own issuer":  {of(github, func(s *Signer) { s.Issuer = "https://gitlab.com" }), signerLinks{}},
		"another host":         {of(github, func(s *Signer) { s.Repository = "https://github.com.evil.dev/acme/forge" }), signerLinks{}},
		"a user name":          {of(github, func(s *Signer) { s.Repository = "https://github.com@evil.dev/acme/forge" }), signerLinks{}},
		"a script":             {of(github, func(s *Signer) { s.Repository = "javascript:alert(1)//github.com/acme/forge" }), signerLinks{}},
		"up a folder":          {of(github, func(s *Signer) { s.Repository = "https://github.com/acme/.." }), signerLinks{}},
		"a newline at the end": {of(github, func(s *Signer) { s.Repository += "\n" }), signerLinks{}},
		"a query":              {of(github, func(s *Signer) { s.Run += "?next=https://evil.dev" }), less(hub, func(l *signerLinks) { l.run = "" })},
		"a run elsewhere":      {of(github, func(s *Signer) { s.Run = "https://github.com/mallory/forge/actions/runs/1/attempts/1" }), less(hub, func(l *signerLinks) { l.run = "" })},
		"no hash":              {of(github, func(s *Signer) { s.Commit = "main" }), less(hub, func(l *signerLinks) { l.commit, l.workflow = "", "" })},
		"another's workflow": {of(github, func(s *Signer) {
			s.Workflow = "https://github.com/mallory/forge/.github/workflows/build.yml@refs/heads/main"
		}), less(hub, func(l *signerLinks) { l.workflow = "" })},
		"no workflow file": {of(github, func(s *Signer) { s.Workflow = s.Repository + "/.github/workflows/../../x@refs/heads/main" }), less(hub, func(l *signerLinks) { l.workflow = "" })},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.s.links(); got != tt.want {
				t.Errorf("links = %+v\nwant    %+v", got, tt.want)
			}
		})
	}
}

// Certificates and statements hold whatever their makers wrote: markup, sequences for terminals, marks that turn the reading
// direction, lines.
func TestHostileCertificate(t *testing.T) {
	const nasty = "\"><script>alert(1)</script>\x1b[31m\u202egpj\nSet-Cookie: a"
	plain := partlyAttested()
	links := map[string]bool{}
	for _, to := range hrefs(t, Package(frame(""), plain)) {
		links[to] = true
	}
	for field, change := range map[string]func(*Attested){
		"identity":    func(a *Attested) { a.Signer.Identity += nasty },
		"issuer":      func(a *Attested) { a.Signer.Issuer += nasty },
		"repository":  func(a *Attested) { a.Signer.Repository += nasty },
		"id":          func(a *Attested) { a.Signer.RepositoryID += nasty },
		"workflow":    func(a *Attested) { a.Signer.Workflow += nasty },
		"run":         func(a *Attested) { a.Signer.Run += nasty },
		"commit":      func(a *Attested) { a.Signer.Commit += nasty },
		"ref":         func(a *Attested) { a.Signer.Ref += nasty },
		"trigger":     func(a *Attested) { a.Signer.Trigger += nasty },
		"environment": func(a *Attested) { a.Signer.Environment += nasty },
		"runner":      func(a *Attested) { a.Signer.Runner += nasty },
		"target":      func(a *Attested) { a.Target += nasty },
		"predicate":   func(a *Attested) { a.Predicate += nasty },
		"log":         func(a *Attested) { a.Log += nasty },
		"instance":    func(a *Attested) { a.Instance += nasty },
		"why":         func(a *Attested) { a.Counts, a.Why = false, nasty },
	} {
		t.Run(field, func(t *testing.T) {
			v := partlyAttested()
			for i := range v.Files {
				for j := range v.Files[i].Attestations {
					change(&v.Files[i].Attestations[j])
				}
			}
			page := Package(frame(""), v)
			out := string(render(t, page))
			for _, raw := range []string{"<script>", "\x1b", "\u202e", "\nSet-Cookie"} {
				if strings.Contains(out, raw) {
					t.Errorf("the page holds %q as it came", raw)
				}
			}
			if !strings.Contains(out, "&lt;script&gt;") || !strings.Contains(out, "&lt;U+202E&gt;") {
				t.Error("the page does not show what the certificate says")
			}
			for _, to := range hrefs(t, page) {
				if !links[to] {
					t.Errorf("the page links to %q, which was made of it", to)
				}
			}
		})
	}
}
