package importing_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/importing"
	"sluice/internal/publish"
	"sluice/internal/trust"
)

// attestedElsewhere is a channel whose packages have attestations, and who looks at them.
type attestedElsewhere struct {
	*elsewhere
	ours, others *attesttest.Instance
}

func newAttested(t *testing.T) *attestedElsewhere {
	t.Helper()
	return &attestedElsewhere{newElsewhere(t), attesttest.New(t), attesttest.New(t)}
}

// judge knows one of the two instances.
func (e *attestedElsewhere) judge(t *testing.T, s *site) publish.Judge {
	t.Helper()
	p, err := attest.NewProfile("ours", e.ours.Root)
	if err != nil {
		t.Fatal(err)
	}
	return publish.Judge{Attest: attest.NewChecker(p), Signers: &trust.Publishers{Store: s.db, Now: time.Now}, Now: time.Now}
}

// sign attests a package for the channel elsewhere.
func sign(in *attesttest.Instance, file string, sum [32]byte, run string) []byte {
	repository := "https://github.com/acme/forge"
	return in.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(file, sum, "https://elsewhere.example.com/forge"), At: time.Now(),
		URIs: []string{repository + "/.github/workflows/build.yml@refs/heads/main"}, Extensions: map[int]string{8: "https://token.actions.githubusercontent.com", 12: repository, 21: repository + "/actions/runs/" + run + "/attempts/1"},
	})
}

// attested writes a package and a file of attestations beside it, and lists it with that file's digest.
func (e *attestedElsewhere) attested(place, name string, bundles func(file string, sum [32]byte) [][]byte) (conda.Filename, []byte) {
	e.t.Helper()
	f, r := e.file(place, pkg(name, "1.0", place), conda.ExtConda)
	body := sidecar(e.t, bundles(f.String(), r.SHA256))
	r.AttestationsSHA256 = sha256.Sum256(body)
	e.write(place+"/"+f.String()+".sigs."+hex.EncodeToString(r.AttestationsSHA256[:]), body)
	e.list(place, f, r)
	return f, body
}

// sidecar is the file of bundles as CEP 50 has it.
func sidecar(t testing.TB, bundles [][]byte) []byte {
	t.Helper()
	read, err := attest.ReadBundles(slices.Concat([]byte("["), bytes.Join(bundles, []byte(",")), []byte("]")), attest.MaxSidecar)
	if err != nil {
		t.Fatal(err)
	}
	return attest.Sidecar(read)
}

// What holds comes along in its order and to the byte, so that the file of attestations keeps its digest; what does not hold is
// left out and named, or refuses the file, or none is looked at: as the operator says.
func TestAttestationsComeAlong(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *site) {
		e := newAttested(t)
		good, whole := e.attested("noarch", "good", func(file string, sum [32]byte) [][]byte {
			return [][]byte{sign(e.ours, file, sum, "1"), sign(e.ours, file, sum, "2")}
		})
		half, _ := e.attested("noarch", "half", func(file string, sum [32]byte) [][]byte {
			return [][]byte{sign(e.others, file, sum, "1"), sign(e.ours, file, sum, "2")}
		})
		other, _ := e.attested("noarch", "other", func(string, [32]byte) [][]byte { return [][]byte{sign(e.ours, "x-1-0.conda", [32]byte{1}, "1")} })
		plain := e.add("noarch", pkg("plain", "1.0", "noarch"), conda.ExtConda)
		damaged, body := e.attested("noarch", "damaged", func(file string, sum [32]byte) [][]byte { return [][]byte{sign(e.ours, file, sum, "1")} })
		sum := sha256.Sum256(body)
		e.write("noarch/"+damaged.String()+".sigs."+hex.EncodeToString(sum[:]), append(body, ' '))
		gone, r := e.file("noarch", pkg("gone", "1.0", "noarch"), conda.ExtConda)
		r.AttestationsSHA256 = [32]byte{7}
		e.list("noarch", gone, r)
		e.index()

		none := s.config(folder(t, e.dir))
		none.DryRun = true
		if sum, _ := s.bring(t, none); sum.Imported != 6 {
			t.Fatalf("%+v", sum)
		}
		require := s.config(folder(t, e.dir))
		require.Attestations, require.Judge = importing.AttestationsRequired, e.judge(t, s)
		got, lines := s.bring(t, require)
		if got.Imported != 1 || got.Refused != 5 || got.Attestations != 2 || got.LeftOut != 0 {
			t.Errorf("required: %+v", got)
		}
		for file, why := range map[conda.Filename]string{
			half: "not all of its attestations hold", other: "not all of its attestations hold", plain: "has no attestation of it", damaged: "they were changed or damaged there", gone: "the source does not have them",
		} {
			if l := lines["noarch/"+file.String()]; l.Outcome != "refused" || !strings.Contains(l.Why, why) {
				t.Errorf("required: %+v, want %q", l, why)
			}
		}
		entries := s.entries(t, "main", "noarch")
		if sum := sha256.Sum256(whole); entries[good.String()].Record.AttestationsSHA256 != sum {
			t.Errorf("attestations have the digest %x, and had %x", entries[good.String()].Record.AttestationsSHA256, sum)
		}

		keep := require
		keep.Attestations = importing.AttestationsKept
		got, lines = s.bring(t, keep)
		if got.Imported != 5 || got.Present != 1 || got.Refused != 0 || got.Attestations != 1 || got.LeftOut != 4 {
			t.Errorf("kept: %+v", got)
		}
		for file, n := range map[conda.Filename][2]int{half: {1, 1}, other: {0, 1}, plain: {0, 0}, damaged: {0, 1}, gone: {0, 1}} {
			if l := lines["noarch/"+file.String()]; l.Attestations != n[0] || len(l.LeftOut) != n[1] {
				t.Errorf("kept: %+v, want %v", l, n)
			}
		}
		entries = s.entries(t, "main", "noarch")
		if entries[half.String()].Record.AttestationsSHA256 == [32]byte{} || entries[other.String()].Record.AttestationsSHA256 != [32]byte{} {
			t.Error("the index does not tell of what came")
		}
		totals, err := s.db.Totals(t.Context(), s.ch.ID)
		if err != nil || totals.Artifacts != 6 || totals.Imported != 6 || totals.Attested != 0 {
			t.Errorf("%+v, %v", totals, err)
		}
		files, err := s.db.Files(t.Context(), s.ch.ID, "half")
		if err != nil || len(files) != 1 || len(files[0].Attestations) != 1 || files[0].Attestations[0].Fit != string(policy.ByOther) || !strings.HasSuffix(files[0].Attestations[0].Signer.Run, "/runs/2/attempts/1") {
			t.Errorf("%+v, %v", files, err)
		}
	})
}

// What the source has got since is added by the same command, and what is there is not looked at again.
func TestAttestationsComeLater(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *site) {
		first, second := newAttested(t), newElsewhere(t)
		var bundles [][]byte
		f, _ := first.attested("noarch", "tide", func(file string, sum [32]byte) [][]byte {
			bundles = [][]byte{sign(first.ours, file, sum, "1"), sign(first.ours, file, sum, "2"), sign(first.others, file, sum, "3")}
			return bundles[:1]
		})
		first.index()
		c := s.config(folder(t, first.dir))
		c.Attestations, c.Judge = importing.AttestationsNone, first.judge(t, s)
		if got, _ := s.bring(t, c); got.Imported != 1 || got.Attestations != 0 {
			t.Fatalf("none: %+v", got)
		}
		listed := s.entries(t, "main", "noarch")[f.String()].Record.IndexedMS
		c.Attestations = importing.AttestationsKept
		if got, lines := s.bring(t, c); got.Imported != 0 || got.Present != 1 || got.Attestations != 1 || lines["noarch/"+f.String()].Outcome != "attested" {
			t.Errorf("later: %+v, %+v", got, lines)
		}
		if got, lines := s.bring(t, c); got.Present != 1 || got.Attestations != 0 || len(lines) != 0 {
			t.Errorf("again: %+v, %+v", got, lines)
		}

		e := &attestedElsewhere{second, first.ours, first.others}
		_, grown := e.attested("noarch", "tide", func(string, [32]byte) [][]byte { return bundles })
		e.index()
		c.Source = folder(t, e.dir)
		if got, lines := s.bring(t, c); got.Present != 1 || got.Attestations != 1 || got.LeftOut != 1 || len(lines["noarch/"+f.String()].LeftOut) != 1 {
			t.Errorf("grown: %+v, %+v", got, lines)
		}
		r := s.entries(t, "main", "noarch")[f.String()].Record
		if want := sha256.Sum256(sidecar(t, bundles[:2])); r.AttestationsSHA256 != want || r.IndexedMS != listed || bytes.Equal(grown, sidecar(t, bundles[:2])) {
			t.Errorf("the record has the digest %x and the time %d, want %x and %d", r.AttestationsSHA256, r.IndexedMS, want, listed)
		}
		c.Attestations = importing.AttestationsRequired
		if got, lines := s.bring(t, c); got.Refused != 1 || !strings.Contains(lines["noarch/"+f.String()].Why, "not all of its attestations hold") {
			t.Errorf("required: %+v, %+v", got, lines)
		}
	})
}

// Of a source whose index names no attestations, as from before CEP 50, the older files are asked for by whoever says so: by
// packages that come, and by those that are there without one.
func TestOlderAttestations(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *site) {
		e := newAttested(t)
		older := func(name string) {
			f, r := e.file("noarch", pkg(name, "1.0", "noarch"), conda.ExtConda)
			e.write("noarch/"+f.String()+".v0.sigs", sidecar(t, [][]byte{sign(e.ours, f.String(), r.SHA256, "1")}))
			e.list("noarch", f, r)
		}
		older("tide")
		e.add("noarch", pkg("plain", "1.0", "noarch"), conda.ExtConda)
		e.index()
		c := s.config(folder(t, e.dir))
		c.Attestations, c.Judge = importing.AttestationsKept, e.judge(t, s)
		if got, _ := s.bring(t, c); got.Imported != 2 || got.Attestations != 0 {
			t.Fatalf("not asked for: %+v", got)
		}
		older("ebb")
		e.index()
		c.Legacy = true
		if got, lines := s.bring(t, c); got.Imported != 1 || got.Present != 2 || got.Attestations != 2 || got.LeftOut+got.Refused != 0 || lines["noarch/tide-1.0-0.conda"].Outcome != "attested" {
			t.Errorf("asked for: %+v, %+v", got, lines)
		}
		c.Attestations = importing.AttestationsRequired
		if got, lines := s.bring(t, c); got.Present != 3 || got.Attestations+got.Refused != 0 {
			t.Errorf("all are there: %+v, %+v", got, lines)
		}
		e.add("noarch", pkg("bare", "1.0", "noarch"), conda.ExtConda)
		e.index()
		if got, lines := s.bring(t, c); got.Refused != 1 || !strings.Contains(lines["noarch/bare-1.0-0.conda"].Why, "has no attestation of it") {
			t.Errorf("required: %+v, %+v", got, lines)
		}
	})
}

// A channel that takes no attestations takes the packages.
func TestAttestationsOff(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *site) {
		e := newAttested(t)
		f, _ := e.attested("noarch", "tide", func(file string, sum [32]byte) [][]byte { return [][]byte{sign(e.ours, file, sum, "1")} })
		e.index()
		c := s.config(folder(t, e.dir))
		c.Attestations, c.Judge = importing.AttestationsKept, e.judge(t, s)
		c.Channel.Attestations.Mode = policy.Off
		got, lines := s.bring(t, c)
		if l := lines["noarch/"+f.String()]; got.Imported != 1 || got.Attestations != 0 || len(l.LeftOut) != 1 || !strings.Contains(l.LeftOut[0], "takes no attestations") {
			t.Errorf("%+v, %+v", got, l)
		}
	})
}

// From an address the file of attestations comes as the package does.
func TestAttestationsFromTheWeb(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *site) {
		e := newAttested(t)
		f, whole := e.attested("noarch", "tide", func(file string, sum [32]byte) [][]byte { return [][]byte{sign(e.ours, file, sum, "1")} })
		e.index()
		web := httptest.NewServer(http.FileServer(http.Dir(e.dir)))
		t.Cleanup(web.Close)
		source, err := importing.OpenWeb(web.URL, importing.Credential{})
		if err != nil {
			t.Fatal(err)
		}
		c := s.config(source)
		c.Attestations, c.Judge = importing.AttestationsRequired, e.judge(t, s)
		c.Subdirs = []conda.Subdir{conda.Noarch()}
		if got, lines := s.bring(t, c); got.Imported != 1 {
			t.Fatalf("%+v, %+v", got, lines)
		}
		if sum := sha256.Sum256(whole); s.entries(t, "main", "noarch")[f.String()].Record.AttestationsSHA256 != sum {
			t.Error("the attestations are not those of the source")
		}
	})
}
