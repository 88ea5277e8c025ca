package test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
)

// TestRefusals lets people meet each refusal that a publisher may meet, in the output of their own client.
func TestRefusals(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		d := newDisputed(t, w)
		for _, tt := range slices.Concat(d.exchanges(t), d.uploads(t)) {
			t.Run(tt.name, func(t *testing.T) { d.refused(t, tt) })
		}
		t.Run("identity token of another run, a second time", d.tokenTwice)
		t.Run("the same file again", d.sameAgain)
		t.Run("skip existing", d.skipExisting)
		t.Run("publisher removed between two files", d.removedBetween)
		t.Run("publisher removed while a file is on its way", d.removedDuring)
		d.wantUntouched(t)
		d.wantAudited(t)
	})
}

// disputed is a world with a channel forge, in which tide 1.0 was published by the run of a publisher that may
// publish tide*, and a channel harbour, which trusts nobody.
type disputed struct {
	*world
	publisher trust.Publisher
	listed    []string // what the channel must list at the end
}

func newDisputed(t *testing.T, w *world) *disputed {
	t.Helper()
	d := &disputed{world: w}
	d.publisher = w.Publisher(t, w.forge, trust.PublisherSpec{Packages: []string{"tide*"}})
	w.Channel(t, w.ann, "harbour", channel.Public)
	if ran := d.upload(t, w.inJob(t, standin.Run{}), d.pack(t, "tide", "1.0", "first")); ran.Status != 0 {
		t.Fatal(ran)
	}
	d.listed = []string{"tide-1.0-0.conda"}
	return d
}

// pack writes a package with that content to a folder of its own and returns its path.
func (d *disputed) pack(t *testing.T, name, version, content string) string {
	t.Helper()
	p := pack(t, build.Package{
		Name: name, Version: version, Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT",
		Files: map[string][]byte{"share/" + name: []byte(content)},
	}, conda.ExtConda)
	path := filepath.Join(t.TempDir(), p.file)
	if err := os.WriteFile(path, p.body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// upload runs the rattler command, as the step of a workflow would.
func (w *world) upload(t *testing.T, u *clients.User, args ...string) clients.Ran {
	t.Helper()
	return u.Rattler(t, append([]string{"upload", "prefix", "--url", w.URL, "--channel", "forge"}, args...)...)
}

// refusal is something that somebody tries, and what we say to it.
type refusal struct {
	name string
	user *clients.User
	// args follow "upload prefix --url URL".
	args []string
	// want are parts of our answer, in whatever lines the client breaks it.
	want []string
}

func (d *disputed) refused(t *testing.T, r refusal) {
	ran := r.user.Rattler(t, append([]string{"upload", "prefix", "--url", d.URL}, r.args...)...)
	if ran.Status == 0 {
		t.Errorf("the client took it for a success: %s", ran)
	}
	for _, part := range r.want {
		if !shows(ran.String(), part) {
			t.Errorf("the client does not show %q:\n%s", part, ran)
		}
	}
}

// framing is what clients draw around and into what we say: colours, bars, line breaks.
var framing = regexp.MustCompile(`\x1b\[[0-9;]*m|[│×╰─▶\s]+`)

// shows reports whether the text is in the output, in whatever lines.
func shows(output, text string) bool {
	return strings.Contains(framing.ReplaceAllString(output, ""), framing.ReplaceAllString(text, ""))
}

// exchanges are refused before a file is sent, whatever the file is.
func (d *disputed) exchanges(t *testing.T) []refusal {
	args := []string{"--channel", "forge", d.pack(t, "tide", "1.1", "next")}
	change := fmt.Sprintf("Change the publisher at %s/channels/forge/publishers/%d", d.URL, d.publisher.ID)
	return []refusal{
		{"workflow file of another name", d.inJob(t, standin.Run{Workflow: "release.yml"}), args, []string{
			"Workflow does not match [workflow_mismatch]: token has release.yml, the publisher of channel forge wants build.yml.", change,
		}},
		{"another repository", d.inJob(t, standin.Run{Owner: "acme", Repository: "fork"}), args, []string{
			"No publisher names this repository [no_publisher]: token is of acme/fork (repository id ",
			"which no channel of " + d.URL + " trusts. An owner of the channel adds it there",
		}},
		{"repository made anew under the name", d.inJob(t, standin.Run{Owner: "acme", Repository: "forge", RepositoryID: "77"}), args, []string{
			"Repository is another one [id_mismatch]: acme/forge (repository id 77,",
		}},
		{"event that strangers can cause", d.inJob(t, standin.Run{Event: "pull_request_target"}), args, []string{"[event_not_allowed]", "pull_request_target"}},
		{"audience of clients of old", clients.NewUser(t).InGitHubJob(d.always(t, "prefix.dev"), "any"), args, []string{"[wrong_audience]", "prefix.dev"}},
	}
}

// always is a token service that gives everybody the same identity token of a run of build.yml.
func (w *world) always(t *testing.T, audience string) (address string) {
	t.Helper()
	jwt, err := w.Job(standin.Run{}).IdentityToken(t.Context(), audience)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"value": jwt}) // the client complains
	}))
	t.Cleanup(service.Close)
	return service.URL
}

// uploads are refused when the file comes.
func (d *disputed) uploads(t *testing.T) []refusal {
	job := d.inJob(t, standin.Run{})
	bob := d.User(t, "bob", false)
	reader := d.Token(t, d.ann, nil, account.Read)
	next := d.pack(t, "tide", "1.1", "next")
	other := d.pack(t, "tide", "1.0", "other")
	same := d.pack(t, "tide", "1.0", "first")
	bundle := filepath.Join(t.TempDir(), "bundle.json")
	renamed := filepath.Join(t.TempDir(), "tide-2.0-0.conda")
	broken := filepath.Join(t.TempDir(), "tide-3.0-0.conda")
	body, err := os.ReadFile(next)
	if err := errors.Join(err, os.WriteFile(bundle, []byte("{}"), 0o600), os.WriteFile(renamed, body, 0o600),
		os.WriteFile(broken, body[:len(body)-200], 0o600)); err != nil {
		t.Fatal(err)
	}
	return []refusal{
		{"channel of others", job, []string{"--channel", "harbour", next}, []string{
			"Publish token is for another channel [wrong_channel]: the publishers that this run satisfies are in forge, not here.",
			"Add a publisher for acme/forge to this channel, or upload to the right one",
		}},
		{"channel that is not there", job, []string{"--channel", "nowhere", next}, []string{
			"Publish token is for another channel [wrong_channel]: the publishers that this run satisfies are in forge, not here.",
		}},
		{"package of another name", job, []string{"--channel", "forge", d.pack(t, "fjord", "1.0", "")}, []string{
			"Package name is not allowed [package_not_allowed]: the file is of package fjord, the trusted publisher may publish tide*.",
			"Add the name to the publisher's packages, or rename the package",
		}},
		{"other bytes under the same name", job, []string{"--channel", "forge", other}, []string{
			"HTTP 409", "noarch/tide-1.0-0.conda exists in channel forge since ", "uploaded by build.yml of acme/forge, run ",
			fmt.Sprintf("with SHA-256 %s; yours has %s. Raise the build number, or use --skip-existing.", sumOf(t, same), sumOf(t, other)),
		}},
		{"same bytes by another right", clients.NewUser(t), []string{"--channel", "forge", "--api-key", d.key, same}, []string{
			"HTTP 409", "uploaded by build.yml of acme/forge, run ", "with these same bytes. Use --skip-existing.",
		}},
		{"replacement", job, []string{"--channel", "forge", "--force", other}, []string{
			"Channel forge does not allow a published file to be replaced: leave out --force and raise the build number.",
		}},
		{"attestation", job, []string{"--channel", "forge", "--attestation", bundle, next}, []string{
			"HTTP 422", `The attestation is a bundle of media type ""`,
		}},
		{"stored key of another server", clients.NewUser(t), []string{"--channel", "forge", "--api-key", "pfx_0123456789", next}, []string{
			"HTTP 401", "If this is a CI job, check that it has `permissions: id-token: write`, and that no stored key (PREFIX_API_KEY) is set.",
		}},
		{"stranger", clients.NewUser(t), []string{"--channel", "forge", "--api-key", d.Token(t, bob, nil, account.Upload), next}, []string{
			"User bob may not upload to channel forge: it takes the role maintainer. Ask an owner of the channel.",
		}},
		{"token that only reads", clients.NewUser(t), []string{"--channel", "forge", "--api-key", reader, next}, []string{
			"lacks the scope upload: make one that has it.",
		}},
		{"file of another name than its package", job, []string{"--channel", "forge", renamed}, []string{"HTTP 422", "tide-2.0-0.conda is refused: "}},
		{"file that was cut", job, []string{"--channel", "forge", broken}, []string{"HTTP 422", "tide-3.0-0.conda is refused: "}},
	}
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(body))
}

// tokenTwice lets a run have the identity token that another one was let in with.
func (d *disputed) tokenTwice(t *testing.T) {
	u := clients.NewUser(t).InGitHubJob(d.always(t, "127.0.0.1"), "any")
	if ran := d.upload(t, u, d.pack(t, "tide", "1.2", "")); ran.Status != 0 {
		t.Fatal(ran)
	}
	d.listed = append(d.listed, "tide-1.2-0.conda")
	d.refused(t, refusal{user: u, args: []string{"--channel", "forge", d.pack(t, "tide", "1.3", "")}, want: []string{
		"Token was used before [token_reused]",
	}})
}

// sameAgain sends the published file once more, as a job that is run again does: nothing happens, successfully.
func (d *disputed) sameAgain(t *testing.T) {
	u := d.inJob(t, standin.Run{Attempt: 2})
	_, before, _ := d.Get(t, "/forge/noarch/repodata.json", "")
	if ran := d.upload(t, u, d.pack(t, "tide", "1.0", "first")); ran.Status != 0 {
		t.Error(ran)
	}
	if _, after, _ := d.Get(t, "/forge/noarch/repodata.json", ""); after.Get("ETag") != before.Get("ETag") {
		t.Errorf("ETag = %s, it was %s: the same file again made another index", after.Get("ETag"), before.Get("ETag"))
	}
}

// skipExisting goes on behind a file that is there with other bytes; without it, the run ends there.
func (d *disputed) skipExisting(t *testing.T) {
	other, fresh := d.pack(t, "tide", "1.0", "other"), d.pack(t, "tide", "1.4", "")
	for _, skip := range []bool{false, true} {
		args := []string{"--url", d.URL, "--channel", "forge", other, fresh}
		if skip {
			args = append(args, "--skip-existing")
		}
		got := d.inJob(t, standin.Run{}).Drive(t, "upload.py", args...)
		status, _, _ := d.Get(t, "/forge/noarch/tide-1.4-0.conda", "")
		if got.OK != skip || (status == http.StatusOK) != skip || !skip && !shows(got.Error, "Raise the build number") {
			t.Errorf("skip existing %v: %s, and then the second file is answered with %d", skip, got.JSON, status)
		}
	}
	d.listed = append(d.listed, "tide-1.4-0.conda")
	if _, _, body := d.Get(t, "/forge/noarch/tide-1.0-0.conda", ""); fmt.Sprintf("%x", sha256.Sum256([]byte(body))) != sumOf(t, d.pack(t, "tide", "1.0", "first")) {
		t.Error("the bytes that were published first are not there any more")
	}
}

// removedBetween removes the publisher when the first of two files is published.
func (d *disputed) removedBetween(t *testing.T) {
	n := 0
	via := d.proxy(t, func(r *http.Request) {
		if n++; n == 2 {
			d.removePublisher(t)
		}
	})
	ran := d.inJob(t, standin.Run{}).Rattler(t, "upload", "prefix", "--url", via, "--channel", "forge",
		d.pack(t, "tide", "1.5", ""), d.pack(t, "tide", "1.6", ""))
	if ran.Status == 0 || !shows(ran.String(), "the trusted publisher that it rests on was changed or removed after it was made. Run the job again.") {
		t.Error(ran)
	}
	d.listed = append(d.listed, "tide-1.5-0.conda")
	d.publisher = d.Publisher(t, d.forge, trust.PublisherSpec{Packages: []string{"tide*"}})
}

// removedDuring removes the publisher when the server has begun to store what a run sends.
func (d *disputed) removedDuring(t *testing.T) {
	via := d.proxy(t, func(r *http.Request) {
		r.Body = &pausing{ReadCloser: r.Body, at: 1 << 20, pause: func() {
			await(t, "the server begins to store what is sent to it", func() bool { return storing(d.Data) })
			d.removePublisher(t)
		}}
	})
	large := pack(t, build.Package{Name: "tide", Version: "1.7", Build: "0", Subdir: "noarch", Noise: 4 << 20}, conda.ExtConda)
	path := filepath.Join(t.TempDir(), large.file)
	if err := os.WriteFile(path, large.body, 0o600); err != nil {
		t.Fatal(err)
	}
	ran := d.inJob(t, standin.Run{}).Rattler(t, "upload", "prefix", "--url", via, "--channel", "forge", path)
	if ran.Status == 0 || !shows(ran.String(), "The trusted publisher of channel forge was changed or removed while tide-1.7-0.conda was being uploaded; nothing was stored. Run the job again.") {
		t.Error(ran)
	}
}

func (d *disputed) removePublisher(t *testing.T) {
	if err := d.Publishers.Remove(t.Context(), audit.Actor{Kind: audit.User, Name: "ann"}, d.forge, d.publisher.ID); err != nil {
		t.Error(err)
	}
}

// proxy stands before the server and is told of each upload before it goes on.
func (w *world) proxy(t *testing.T, upload func(*http.Request)) (address string) {
	t.Helper()
	target, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		if strings.HasPrefix(r.Out.URL.Path, "/api/v1/upload/") {
			upload(r.Out)
		}
	}})
	t.Cleanup(front.Close)
	return front.URL
}

// pausing is a body that does something, once, when so many bytes have passed.
type pausing struct {
	io.ReadCloser
	at    int
	pause func()
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.at <= 0 && p.pause != nil {
		p.pause()
		p.pause = nil
	}
	n, err := p.ReadCloser.Read(b)
	p.at -= n
	return n, err
}

// wantUntouched makes sure that the channel lists what it should, and that nothing else lies about.
func (d *disputed) wantUntouched(t *testing.T) {
	t.Helper()
	var index struct {
		Packages map[string]json.RawMessage `json:"packages.conda"`
	}
	_, _, body := d.Get(t, "/forge/noarch/repodata.json", "")
	if err := json.Unmarshal([]byte(body), &index); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(index.Packages)); !slices.Equal(got, d.listed) {
		t.Errorf("the channel lists %q, want %q", got, d.listed)
	}
	if blobs := tree(d.Data, "blobs"); len(blobs) != len(d.listed) {
		t.Errorf("%d blobs are stored for %d packages", len(blobs), len(d.listed))
	}
	if staged := tree(d.Data, "staging"); len(staged) != 0 {
		t.Errorf("left in the staging area: %q", staged)
	}
}

// wantAudited makes sure that ann can read afterwards who was refused, and why.
func (d *disputed) wantAudited(t *testing.T) {
	t.Helper()
	var log struct {
		Events []struct {
			Code    string
			Refused bool
		}
	}
	status, _, body := d.Get(t, "/api/v1/channels/forge/audit?limit=500", d.key)
	if err := json.Unmarshal([]byte(body), &log); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	codes := map[string]bool{}
	for _, e := range log.Events {
		if e.Refused {
			codes[e.Code] = true
		}
	}
	for _, code := range []string{
		"workflow_mismatch", "id_mismatch", "event_not_allowed", "token_reused", "package_not_allowed", "exists", "not_permitted",
		"bundle_version", "invalid_package", "revoked",
	} {
		if !codes[code] {
			t.Errorf("the channel's audit log has no refusal for %s, only for %q", code, slices.Sorted(maps.Keys(codes)))
		}
	}
}
