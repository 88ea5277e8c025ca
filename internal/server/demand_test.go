package server_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// demand sets what the channel demands: the usual, but for what f changes.
func (w *attested) demand(t *testing.T, f func(*policy.Policy)) {
	t.Helper()
	p := policy.Default()
	f(&p)
	ch, err := w.DB.ChannelByName(t.Context(), w.forge.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Channels.Change(t.Context(), audit.Actor{Kind: audit.Operator}, ch, channel.Revision{Attestations: &p}); err != nil {
		t.Fatal(err)
	}
}

// version makes a package of tide.
func version(t *testing.T, v string) (file string, body []byte) {
	t.Helper()
	return packageOf(t, "tide", func(p *build.Package) { p.Version = v })
}

// send uploads a file with attestations.
func (w *attested) send(t *testing.T, bearer, file string, body []byte, bundles ...[]byte) (int, string) {
	t.Helper()
	parts := []part{filePart(file, "", body)}
	if len(bundles) > 0 {
		parts = append(parts, bundlePart(list(bundles...)))
	}
	return w.do(t, w.post(t, "forge", bearer, parts...))
}

// states signs a statement with another predicate.
func (w *attested) states(extensions map[int]string, file string, body []byte) []byte {
	return w.instance.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", URIs: []string{extensions[9]}, Extensions: extensions, At: time.Now(),
		Statement: strings.Replace(attesttest.Statement(file, sha256.Sum256(body), "https://x.example.com/y"), attest.PredicateType, "https://slsa.dev/provenance/v1", 1),
	})
}

func TestDemands(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, own := w.run(t, standin.Run{})
		_, second := w.run(t, standin.Run{})
		stranger := w.Certificate(w.CI.Start(standin.Run{Owner: "evil", Repository: "forge"}))
		here, alias := w.URL+"/forge", "https://old.example.com/forge"
		usual := func(*policy.Policy) {}
		required := func(p *policy.Policy) { p.Mode = policy.Required }
		signer := func(s policy.Signers) func(*policy.Policy) {
			return func(p *policy.Policy) { p.Mode, p.Signer = policy.Required, s }
		}
		some := func(names ...string) func(*policy.Policy) {
			return func(p *policy.Policy) { p.Mode, p.RequiredFor = policy.RequiredFor, names }
		}
		denied := func(d policy.Denial) func(*policy.Policy) {
			d.Why = "it was taken over"
			return func(p *policy.Policy) { p.Denied = []policy.Denial{d} }
		}
		type signing struct {
			by     map[int]string
			target string
			other  bool
		}
		for i, tt := range []struct {
			name   string
			policy func(*policy.Policy)
			bearer string
			by     []signing
			says   string // "" for taken
		}{
			{"off", func(p *policy.Policy) { p.Mode = policy.Off }, tok, []signing{{by: own, target: here}}, "takes no attestations"},
			{"off and none", func(p *policy.Policy) { p.Mode = policy.Off }, tok, nil, ""},
			{"required and none", required, tok, nil, "--generate-attestation"},
			{"required", required, tok, []signing{{by: own, target: here}}, ""},
			{"required of a person", required, w.annUploads, nil, "--generate-attestation"},
			{"required of a person, by a publisher's run", required, w.annUploads, []signing{{by: own, target: here}}, ""},
			{"required of a person, by a stranger", required, w.annUploads, []signing{{by: stranger, target: here}}, "no trusted publisher"},
			{"required for another name", some("other*"), tok, nil, ""},
			{"required for this name", some("ti*"), tok, nil, "--generate-attestation"},
			{"another run of the publisher", signer(policy.SignedByRun), tok, []signing{{by: second, target: here}}, "another run"},
			{"another run where publishers sign", signer(policy.SignedByPublisher), tok, []signing{{by: second, target: here}}, ""},
			{"a stranger where publishers sign", signer(policy.SignedByPublisher), tok, []signing{{by: stranger, target: here}}, "no trusted publisher"},
			{"a stranger where anybody signs", signer(policy.SignedByAnybody), tok, []signing{{by: stranger, target: here}}, ""},
			{"an alias", func(p *policy.Policy) { p.Aliases = []string{alias} }, tok, []signing{{by: own, target: alias}}, ""},
			{"an alias that does not count", func(p *policy.Policy) { p.Target, p.Aliases = policy.TargetExact, []string{alias} }, tok, []signing{{by: own, target: alias}}, "is wanted"},
			{"any channel", func(p *policy.Policy) { p.Target = policy.TargetIgnored }, tok, []signing{{by: own, target: alias}}, ""},
			{"one of the instances", func(p *policy.Policy) { p.Instances = []string{"ours"} }, tok, []signing{{by: own, target: here}}, ""},
			{"another instance", func(p *policy.Policy) { p.Instances = []string{"acme"} }, tok, []signing{{by: own, target: here}}, "trusts no sigstore instance"},
			{"denied", denied(policy.Denial{Identity: own[9]}), tok, []signing{{by: own, target: here}}, "denied that: it was taken over"},
			{"denied run", denied(policy.Denial{Run: strings.TrimSuffix(own[21], "/attempts/1")}), tok, []signing{{by: own, target: here}}, "denied that"},
			{"denied elsewhere", denied(policy.Denial{Run: second[21]}), tok, []signing{{by: own, target: here}}, ""},
			{"provenance beside", required, tok, []signing{{by: own, target: here}, {by: stranger, other: true}}, ""},
			{"provenance alone", usual, tok, []signing{{by: own, other: true}}, "beside it"},
			{"provenance where none is taken", func(p *policy.Policy) { p.OtherStatements = false }, tok, []signing{{by: own, target: here}, {by: own, other: true}}, "slsa.dev"},
			{"provenance by one who is denied", denied(policy.Denial{Identity: "https://evil"}), tok, []signing{{by: own, target: here}, {by: stranger, other: true}}, ""},
		} {
			file, body := version(t, fmt.Sprintf("1.%d", i))
			var bundles [][]byte
			for _, s := range tt.by {
				if s.other {
					bundles = append(bundles, w.states(s.by, file, body))
				} else {
					bundles = append(bundles, w.sign(s.by, file, body, s.target))
				}
			}
			w.demand(t, tt.policy)
			status, said := w.send(t, tt.bearer, file, body, bundles...)
			if tt.says == "" && status != http.StatusOK || tt.says != "" && (status != http.StatusUnprocessableEntity || !strings.Contains(said, tt.says)) {
				t.Errorf("%s: %d %s", tt.name, status, said)
			}
			if there, _, _ := w.Get(t, "/forge/noarch/"+file, ""); (there == http.StatusOK) != (tt.says == "") {
				t.Errorf("%s: the file is there: %d", tt.name, there)
			}
		}
		// A raw body has no room for one, and what comes later is held to the same.
		w.demand(t, required)
		file, body := version(t, "2.0")
		if status, said := w.do(t, w.raw(t, tok, file, bytes.NewReader(body))); status != 422 || !strings.Contains(said, "multipart form") {
			t.Errorf("raw: %d %s", status, said)
		}
		if status, said := w.send(t, tok, file, body, w.sign(own, file, body, here)); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		w.demand(t, denied(policy.Denial{Identity: own[9]}))
		if status, said := w.send(t, tok, file, body, w.sign(own, file, body, here)); status != 422 || !strings.Contains(said, "denied") {
			t.Errorf("later: %d %s", status, said)
		}
		w.sidecar(t, file, 1)
		w.consistent(t)
	})
}

// What is demanded when the upload is committed counts, not what was when it began.
func TestDemandsMeanwhile(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, _ := w.run(t, standin.Run{})
		file, body := version(t, "1.0")
		req := w.meanwhile(t, tok, file, body, func() { w.demand(t, func(p *policy.Policy) { p.Mode = policy.Required }) })
		if status, said := w.do(t, req); status != 422 || !strings.Contains(said, "attestation") {
			t.Errorf("%d %s", status, said)
		}
		if status, _, _ := w.Get(t, "/forge/noarch/"+file, ""); status != http.StatusNotFound {
			t.Errorf("it was stored: %d", status)
		}
	})
}

func TestNoStepBack(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, own := w.run(t, standin.Run{})
		refuse := func(p *policy.Policy) { p.NoRegress = policy.RegressRefused }
		change := func(kind curate.Kind) {
			t.Helper()
			keep := &curate.Curator{Store: w.DB}
			if _, err := keep.Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tide", Version: "1.0"}, curate.Change{Kind: kind, Reason: "a test"}); err != nil {
				t.Fatal(err)
			}
		}
		w.demand(t, refuse)
		step := func(v, says string) {
			t.Helper()
			file, body := version(t, v)
			if status, said := w.send(t, tok, file, body); says == "" && status != http.StatusOK || says != "" && (status != 422 || !strings.Contains(said, says)) {
				t.Errorf("%s: %d %s", v, status, said)
			}
		}
		step("0.9", "") // nothing was attested
		file, body := version(t, "1.0")
		if status, said := w.send(t, tok, file, body, w.sign(own, file, body, w.URL+"/forge")); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		step("1.1", "tide 1.0 has an attestation")
		step("1.0", "") // the same bytes again are there
		change(curate.Yank)
		step("1.1", "tide 1.0 has an attestation")
		change(curate.Delete)
		step("1.1", "")
		change(curate.Restore)
		step("1.2", "tide 1.0 has an attestation")
		w.demand(t, func(p *policy.Policy) { p.NoRegress = policy.RegressAllowed })
		step("1.3", "")
		w.demand(t, func(*policy.Policy) {})
		step("1.4", "")
		events, err := w.DB.Events(t.Context(), audit.Query{ChannelID: w.forge.ID, Kinds: []audit.Kind{audit.Uploaded}, Limit: 2})
		if err != nil || len(events) != 2 || !strings.HasSuffix(events[0].Sentence, "not attested, earlier files of tide are") ||
			events[0].Facts["attested_before"] != "noarch/"+file || strings.Contains(events[1].Sentence, "not attested") {
			t.Errorf("%+v, %v", events, err)
		}
	})
}

// A publisher demands more than its channel, of its own runs alone, and never less.
func TestPublishersDemand(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		strict := w.publisher
		strict.Demand = policy.Demand{Attestations: policy.Required, Signer: policy.SignedByRun}
		w.publisher = w.Publisher(t, w.forge, trust.PublisherSpec{Packages: []string{"tide*"}, Workflow: "strict.yml", Demand: strict.Demand})
		tok, own := w.run(t, standin.Run{Workflow: "strict.yml"})
		_, second := w.run(t, standin.Run{Workflow: "strict.yml"})
		w.demand(t, func(p *policy.Policy) { p.Signer = policy.SignedByAnybody })
		file, body := version(t, "1.0")
		if status, said := w.send(t, tok, file, body); status != 422 || !strings.Contains(said, "--generate-attestation") {
			t.Errorf("none: %d %s", status, said)
		}
		if status, said := w.send(t, tok, file, body, w.sign(second, file, body, w.URL+"/forge")); status != 422 || !strings.Contains(said, "another run") {
			t.Errorf("another run's: %d %s", status, said)
		}
		if status, said := w.send(t, tok, file, body, w.sign(own, file, body, w.URL+"/forge")); status != http.StatusOK {
			t.Errorf("its own: %d %s", status, said)
		}
		file, body = version(t, "1.1")
		if status, said := w.send(t, w.annUploads, file, body); status != http.StatusOK {
			t.Errorf("a person: %d %s", status, said)
		}
	})
}
