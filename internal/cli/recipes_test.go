package cli_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/attest/attesttest"
	"sluice/internal/channel"
	"sluice/internal/cijob"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// kitchen is a server whose channel forge, as those of the manual, takes what runs of acme/forge publish, and counts what an
// instance of sigstore of its own has signed.
type kitchen struct {
	*servertest.Server
	instance *attesttest.Instance
	ann      account.User
	uploads  string
}

// cooks runs a test on both databases, with a server and a token of the owner as those of the commands.
func cooks(t *testing.T, test func(t *testing.T, k *kitchen)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			k := &kitchen{instance: attesttest.New(t)}
			root := filepath.Join(t.TempDir(), "ours.json")
			if err := os.WriteFile(root, k.instance.Root, 0o600); err != nil {
				t.Fatal(err)
			}
			k.Server = servertest.New(t, servertest.Options{Postgres: name == "postgres", Configure: func(c *config.Config) { c.SigstoreRoots = []string{root} }})
			k.ann = k.User(t, "ann", false)
			k.Publisher(t, k.Channel(t, k.ann, "forge", channel.Public), trust.PublisherSpec{})
			t.Setenv("SLUICE_SERVER", k.URL)
			k.uploads = k.Token(t, k.ann, nil, account.Read, account.Upload, account.Manage)
			t.Setenv("SLUICE_TOKEN", k.uploads)
			test(t, k)
		})
	}
}

// recipe are the commands of a section of the manual's page on attestations, those alone that stand in its first block.
func recipe(t *testing.T, title string) (commands [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/attestations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n### "+title+"\n")
	_, block, fenced := strings.Cut(section, "\n```\n")
	block, _, closed := strings.Cut(block, "\n```")
	if !ok || !fenced || !closed {
		t.Fatalf("the manual has no recipe %q", title)
	}
	for line := range strings.Lines(block) {
		words := shellWords(strings.TrimSpace(line))
		if words[0] != "sluice" {
			t.Fatalf("%q is no command of ours", line)
		}
		commands = append(commands, words[1:])
	}
	return commands
}

// shellWords are the words of a line, as a shell takes them that knows single quotes alone.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// serve runs a command of a recipe, which has to do it and say that.
func serve(t *testing.T, command []string, says ...string) {
	t.Helper()
	code, printed := run(t, command...)
	for _, s := range says {
		if !strings.Contains(printed, s) {
			t.Errorf("%q does not say %q: %s", command, s, printed)
		}
	}
	if code != 0 {
		t.Errorf("%q ends with %d: %s", command, code, printed)
	}
}

// asks runs a command of a recipe where nobody can be asked: it has to say what would be done, and leave it.
func asks(t *testing.T, command []string, says ...string) {
	t.Helper()
	code, printed := run(t, command...)
	for _, s := range append(says, "nothing was done: agree with --yes") {
		if !strings.Contains(printed, s) {
			t.Errorf("%q does not say %q: %s", command, s, printed)
		}
	}
	if code != 1 {
		t.Errorf("%q ends with %d: %s", command, code, printed)
	}
}

// work is a run of acme/forge, with its publish token and its certificate.
func (k *kitchen) work(t *testing.T, id int) (token string, certificate map[int]string) {
	t.Helper()
	job := k.CI.Start(standin.Run{Owner: "acme", Repository: "forge", RunID: id})
	c := cijob.New(job.Env())
	identity, err := c.IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if token, err = c.Mint(t.Context(), k.URL, identity); err != nil {
		t.Fatal(err)
	}
	return token, k.Certificate(job)
}

// file is a version of tide, with its attestation for a channel by the holder of a certificate; nil: none.
func (k *kitchen) file(t *testing.T, version, target string, certificate map[int]string) (name string, body, bundle []byte) {
	t.Helper()
	p := build.Package{Name: "tide", Version: version, Build: "0", Subdir: "noarch", Noarch: "generic"}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	name = p.Stem() + ".conda"
	if certificate == nil {
		return name, body, nil
	}
	return name, body, k.instance.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(name, sha256.Sum256(body), target),
		URIs: []string{certificate[9]}, Extensions: certificate, At: time.Now(),
	})
}

// upload publishes a file with an attestation, or without.
func (k *kitchen) upload(t *testing.T, channel, token, name string, body, bundle []byte) (int, string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, p := range []struct {
		name string
		body []byte
	}{{"file", body}, {"attestation", bundle}} {
		if p.body == nil {
			continue
		}
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, p.name, name)}, "X-File-Name": {name}, "X-File-Sha256": {fmt.Sprintf("%x", sha256.Sum256(body))},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, k.URL+"/api/v1/upload/"+channel, &form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", w.FormDataContentType())
	status, _, said := servertest.Do(t, req)
	return status, said
}

func TestRecipeRequireOneForEverything(t *testing.T) {
	commands := recipe(t, "Require one for everything")
	cooks(t, func(t *testing.T, k *kitchen) {
		token, certificate := k.work(t, 12)
		publish := func(version string, signed bool, status int, says string) {
			t.Helper()
			by := certificate
			if !signed {
				by = nil
			}
			name, body, bundle := k.file(t, version, k.URL+"/forge", by)
			if got, said := k.upload(t, "forge", token, name, body, bundle); got != status || !strings.Contains(said, says) {
				t.Errorf("%s: %d %s", version, got, said)
			}
		}
		publish("1.0", false, 200, "")
		publish("1.1", true, 200, "")
		serve(t, commands[0], "a file without one after files that have one  refused")
		publish("1.2", false, 422, "tide 1.1 has an attestation")
		asks(t, commands[1], "noarch/tide-1.0-0.conda", "1 file would fail by this")
		publish("1.3", true, 200, "")
		serve(t, append(commands[1], "--yes"), "required")
		publish("1.4", false, 422, "only with an attestation")
		publish("1.4", true, 200, "")

		// What has none stays, and can get one, by a run that signs it now.
		name, _, bundle := k.file(t, "1.0", k.URL+"/forge", certificate)
		if status, _, _ := k.Get(t, "/forge/noarch/"+name, ""); status != http.StatusOK {
			t.Errorf("the file is gone: %d", status)
		}
		later := filepath.Join(t.TempDir(), "bundle.sigstore.json")
		if err := os.WriteFile(later, bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		serve(t, []string{"attestation", "add", "forge", later, "noarch/" + name}, "Added 1")
		serve(t, commands[1])
	})
}

func TestRecipeMirror(t *testing.T) {
	commands := recipe(t, "A mirror of what others publish")
	cooks(t, func(t *testing.T, k *kitchen) {
		k.Channel(t, k.ann, "mirror", channel.Public)
		stranger := k.Certificate(k.CI.Start(standin.Run{Owner: "others", Repository: "forge"}))
		name, body, bundle := k.file(t, "1.0", "https://conda.others.example.com/forge", stranger)
		if status, said := k.upload(t, "mirror", k.uploads, name, body, bundle); status != 422 {
			t.Errorf("before: %d %s", status, said)
		}
		serve(t, commands[0], "any CI job", "any channel")
		if status, said := k.upload(t, "mirror", k.uploads, name, body, bundle); status != 200 {
			t.Errorf("%d %s", status, said)
		}
		if _, _, said := k.Get(t, "/api/v1/channels/mirror/packages/noarch/"+name, ""); !strings.Contains(said, `"counts":true`) || !strings.Contains(said, "others/forge") {
			t.Errorf("it does not count: %s", said)
		}
	})
}

func TestRecipeTakenOver(t *testing.T) {
	cooks(t, func(t *testing.T, k *kitchen) {
		commands := recipe(t, "A run was taken over")
		// The address of the run is that of our stand-in for the CI service.
		for i, word := range commands[0] {
			commands[0][i] = strings.Replace(word, "https://github.com", k.CI.URL(), 1)
		}
		bad, badly := k.work(t, 77)
		good, well := k.work(t, 78)
		for version, by := range map[string]struct {
			token       string
			certificate map[int]string
		}{"1.0": {good, well}, "1.1": {bad, badly}} {
			name, body, bundle := k.file(t, version, k.URL+"/forge", by.certificate)
			if status, said := k.upload(t, "forge", by.token, name, body, bundle); status != 200 {
				t.Fatalf("%d %s", status, said)
			}
		}
		counts := func(version string, want bool) {
			t.Helper()
			if _, _, said := k.Get(t, "/api/v1/channels/forge/packages/noarch/tide-"+version+"-0.conda", ""); !strings.Contains(said, fmt.Sprintf(`"counts":%v`, want)) {
				t.Errorf("%s: %s", version, said)
			}
		}
		asks(t, commands[0], "noarch/tide-1.1-0.conda", "1 file would fail by this: 0 without an attestation, 1 with one that does not count")
		counts("1.1", true)
		serve(t, append(commands[0], "--yes"), k.CI.URL()+"/acme/forge/actions/runs/77", "A stranger has pushed to main.")
		counts("1.1", false)
		counts("1.0", true)
		asks(t, commands[1], "noarch/tide-1.1-0.conda", "1 file would be yanked")
		serve(t, append(commands[1], "--yes"), "1 file")
		index, err := servertest.ReadIndex(t.Context(), k.URL+"/forge/noarch", "")
		if err != nil || len(index.Records) != 1 || index.Records["tide-1.0-0.conda"] == "" {
			t.Errorf("solvers see %v: %v", index.Records, err)
		}

		// Its token is ended, and what it has signed is refused whoever brings it.
		name, body, bundle := k.file(t, "1.2", k.URL+"/forge", badly)
		if status, said := k.upload(t, "forge", bad, name, body, bundle); status != 401 && status != 403 {
			t.Errorf("the run goes on: %d %s", status, said)
		}
		if status, said := k.upload(t, "forge", k.uploads, name, body, bundle); status != 422 || !strings.Contains(said, "A stranger has pushed to main.") {
			t.Errorf("what the run has signed: %d %s", status, said)
		}
		serve(t, append(commands[0], "--undo"), "Channel forge denies no signatures.")
		counts("1.1", true)
	})
}
