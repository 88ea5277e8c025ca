package test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
)

// TestPrivateChannel reads a channel that is not for everybody, with each form of the same token.
func TestPrivateChannel(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		v := newVault(t, w)
		for _, form := range v.forms() {
			t.Run("install with "+form.name, func(t *testing.T) { v.installs(t, form) })
		}
		t.Run("the browser's client", v.browser)
		t.Run("a build with a stored token", v.builds)
		for _, caller := range v.refused(t) {
			t.Run("refused: "+caller.name, func(t *testing.T) { v.refuses(t, caller) })
		}
		t.Run("sign in after a refusal", v.signsInLater)
		t.Run("every file, every caller", v.everyFile)
		if log := w.Log.String(); strings.Contains(log, v.reader) || strings.Contains(log, w.key) {
			t.Error("a token stands in the server's log")
		}
	})
}

// vault is a private channel of ann's, in which a command and its library lie.
type vault struct {
	*world
	ch     channel.Channel
	reader string // a token that reads this channel and does nothing else
}

func newVault(t *testing.T, w *world) *vault {
	t.Helper()
	v := &vault{world: w, ch: w.Channel(t, w.ann, "vault", channel.Private)}
	v.reader = w.Token(t, w.ann, &v.ch, account.Read)
	script := "#!/bin/sh\necho open\n"
	w.fill(t, v.ch,
		pack(t, build.Package{Name: "hinge", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic"}, conda.ExtTarBz2),
		pack(t, build.Package{
			Name: "door", Version: "2.0", Build: "0", Subdir: "noarch", Noarch: "generic", Depends: []string{"hinge >=1"},
			Files: map[string][]byte{"bin/door": []byte(script)},
		}, conda.ExtConda))
	return v
}

// form is a way to give a client a token.
type form struct {
	name string
	// stored is what RATTLER_AUTH_FILE holds for the host; nil: nothing.
	stored map[string]any
	// url is the channel's address with this form.
	url string
}

func (v *vault) forms() []form {
	plain := v.channelURL(v.ch)
	return []form{
		{"Bearer", map[string]any{"BearerToken": v.reader}, plain},
		{"Basic", map[string]any{"BasicHTTP": map[string]string{"username": "ann", "password": v.reader}}, plain},
		{"a stored conda token", map[string]any{"CondaToken": v.reader}, plain},
		{"a token in the address", nil, v.URL + "/t/" + v.reader + "/vault"},
	}
}

// userWith is a user whose clients know the credential for this host.
func userWith(t *testing.T, stored map[string]any) *clients.User {
	t.Helper()
	u := clients.NewUser(t)
	if stored == nil {
		return u
	}
	content, err := json.Marshal(map[string]any{"127.0.0.1": stored})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(u.Home, "auth.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return u
}

func (v *vault) installs(t *testing.T, f form) {
	for _, via := range []string{"shards", "zst", "json"} {
		var got struct {
			Records []record
			Stdout  string
		}
		userWith(t, f.stored).Drive(t, "read.py", "install", "--channel", f.url, "--via", via, "--spec", "door",
			"--prefix", t.TempDir(), "--run", "door").Into(t, &got)
		if got.Stdout != "open\n" || len(got.Records) != 2 {
			t.Errorf("py-rattler via %s: %+v", via, got)
		}
	}
	u, prefix := userWith(t, f.stored), t.TempDir()
	if ran := u.Rattler(t, "create", "--prefix", prefix, "--channel", f.url, "door"); ran.Status != 0 {
		t.Fatal(ran)
	}
	if ran := u.Rattler(t, "run", "--prefix", prefix, "door"); ran.Stdout != "open\n" {
		t.Error(ran)
	}
	if ran := u.Rattler(t, "inspect", f.url+"/noarch/door-2.0-0.conda"); ran.Status != 0 || !strings.Contains(ran.Stdout, "hinge >=1") {
		t.Errorf("inspect, by ranges: %s", ran)
	}
}

// browser has no store of credentials, so it needs the token in the address.
func (v *vault) browser(t *testing.T) {
	var got struct{ Records []record }
	clients.NewUser(t).Drive(t, "browser.cjs", "solve", "--channel", v.URL+"/t/"+v.reader+"/vault", "--spec", "door").Into(t, &got)
	if len(got.Records) != 2 {
		t.Errorf("solved %+v, want door and hinge", got.Records)
	}
	if a := clients.NewUser(t).Drive(t, "browser.cjs", "solve", "--channel", v.channelURL(v.ch), "--spec", "door"); a.OK || !strings.Contains(a.Error, "401") {
		t.Errorf("without a token: %s, want 401", a.JSON)
	}
}

// builds lets a build skip what the private channel holds.
func (v *vault) builds(t *testing.T) {
	recipe := filepath.Join(t.TempDir(), "recipe.yaml")
	err := os.WriteFile(recipe, []byte("package:\n  name: hinge\n  version: '1.0'\nbuild:\n  string: '0'\n  noarch: generic\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--recipe", recipe, "--channel", v.channelURL(v.ch), "--skip-existing", "all", "--output", t.TempDir()}
	var got ciRun
	userWith(t, map[string]any{"BearerToken": v.reader}).Drive(t, "build.py", args...).Into(t, &got)
	if len(got.Built) != 0 || len(got.Skipped) != 1 {
		t.Errorf("built %+v, want hinge skipped", got)
	}
	if a := clients.NewUser(t).Drive(t, "build.py", args...); a.OK {
		t.Errorf("without a token the build went on: %s", a.JSON)
	}
}

// stranger is somebody who may not read the vault, with the status that tells so.
type stranger struct {
	name, token string
	status      int
}

func (v *vault) refused(t *testing.T) []stranger {
	t.Helper()
	bob := v.User(t, "bob", false)
	own := v.Channel(t, bob, "shed", channel.Private)
	v.Publisher(t, own, trust.PublisherSpec{})
	return []stranger{
		{"nobody", "", http.StatusUnauthorized},
		{"a token that never was", strings.Replace(v.reader, v.reader[len(v.reader)-4:], "zzzz", 1), http.StatusUnauthorized},
		{"a token of another server", "pfx_0123456789", http.StatusUnauthorized},
		{"a member of this server", v.Token(t, bob, nil, account.Read), http.StatusForbidden},
		{"a token without the scope", v.Token(t, v.ann, nil, account.Upload), http.StatusForbidden},
		{"a token for another channel", v.Token(t, v.ann, &v.forge, account.Read), http.StatusForbidden},
		{"a run that publishes elsewhere", v.PublishToken(t), http.StatusNotFound},
	}
}

func (v *vault) refuses(t *testing.T, s stranger) {
	stored := map[string]any{"BearerToken": s.token}
	if s.token == "" {
		stored = nil
	}
	for _, via := range []string{"shards", "json"} {
		a := userWith(t, stored).Drive(t, "read.py", "solve", "--channel", v.channelURL(v.ch), "--via", via, "--spec", "door")
		if a.OK || s.status != http.StatusNotFound && !strings.Contains(a.Error, fmt.Sprint(s.status)) {
			t.Errorf("py-rattler via %s: %s, want %d", via, a.JSON, s.status)
		}
	}
	ran := userWith(t, stored).Rattler(t, "create", "--dry-run", "--prefix", t.TempDir(), "--channel", v.channelURL(v.ch), "door")
	if ran.Status == 0 {
		t.Errorf("the rattler command: %s", ran)
	}
}

// signsInLater meets the refusal first: no client may remember it once the token is there.
func (v *vault) signsInLater(t *testing.T) {
	u := clients.NewUser(t)
	args := []string{"solve", "--channel", v.channelURL(v.ch), "--spec", "door"}
	if a := u.Drive(t, "read.py", args...); a.OK {
		t.Fatal("nobody may read the channel")
	}
	u.SignIn(t, "127.0.0.1", v.reader)
	before := len(v.asked())
	u.Drive(t, "read.py", args...).Into(t, &struct{}{})
	wantSource(t, v.asked()[before:], "shards")
}

// everyFile asks for each kind of file, by plain HTTP, as everybody.
func (v *vault) everyFile(t *testing.T) {
	carol := v.Token(t, v.User(t, "carol", false), nil, account.Read)
	callers := []struct {
		name   string
		status int
		sign   func(*http.Request)
	}{
		{"nobody", 401, func(*http.Request) {}},
		{"Bearer", 200, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+v.reader) }},
		{"Basic", 200, func(r *http.Request) { r.SetBasicAuth("anybody", v.reader) }},
		{"/t/", 200, func(r *http.Request) { r.URL.Path = "/t/" + v.reader + r.URL.Path }},
		{"/t/ with nonsense", 401, func(r *http.Request) { r.URL.Path = "/t/nonsense" + r.URL.Path }},
		{"Basic with nonsense", 401, func(r *http.Request) { r.SetBasicAuth("ann", servertest.Password) }},
		{"a member of this server", 403, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+carol) }},
	}
	for _, path := range filesOf(t, v.world, v.ch, v.reader, "door-2.0-0.conda", "hinge-1.0-0.tar.bz2") {
		for _, c := range callers {
			req := v.request(t, http.MethodGet, path, "", nil)
			c.sign(req)
			status, header, body := servertest.Do(t, req)
			if status != c.status || (status == 401) != (len(header.Values("WWW-Authenticate")) > 0) {
				t.Errorf("%s as %s = %d, WWW-Authenticate %q, want %d", path, c.name, status, header.Values("WWW-Authenticate"), c.status)
			}
			if cache := header.Get("Cache-Control"); strings.Contains(cache, "public") {
				t.Errorf("%s as %s: Cache-Control = %q", path, c.name, cache)
			}
			if status != 200 && (len(body) > 512 || strings.Contains(body, "\n") || !strings.HasPrefix(header.Get("Content-Type"), "text/plain")) {
				t.Errorf("%s as %s: %q, want one line of plain text", path, c.name, body)
			}
		}
	}
}

// filesOf is the path of every kind of file of the channel's noarch, among them the packages named.
func filesOf(t *testing.T, w *world, ch channel.Channel, token string, packages ...string) []string {
	t.Helper()
	base := "/" + ch.Name.String() + "/"
	paths := []string{base + "notices.json", base + "channeldata.json"}
	for _, file := range append([]string{
		"repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst", "run_exports.json", "run_exports.json.zst",
	}, packages...) {
		paths = append(paths, base+"noarch/"+file)
	}
	status, _, index := w.Get(t, base+"noarch/repodata_shards.msgpack.zst", token)
	if status != http.StatusOK {
		t.Fatalf("shard index: %d %s", status, index)
	}
	for _, sum := range unpack(t, []byte(index))["shards"].(map[string]any) {
		paths = append(paths, fmt.Sprintf("%snoarch/shards/%s.msgpack.zst", base, sum))
	}
	return paths
}

// TestPublishToPrivateChannel lets CI publish into a channel that only members can read.
func TestPublishToPrivateChannel(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		v := newVault(t, w)
		v.Publisher(t, v.ch, trust.PublisherSpec{})
		p := pack(t, build.Package{Name: "lock", Version: "1.0", Build: "0", Subdir: "linux-64"}, conda.ExtConda)
		path := filepath.Join(folderOf(t, []parcel{p}), "linux-64", p.file)
		ran := w.inJob(t, standin.Run{}).Rattler(t, "upload", "prefix", "--url", w.URL, "--channel", "vault", path)
		if ran.Status != 0 {
			t.Fatal(ran)
		}
		_, _, body := w.Get(t, "/vault/linux-64/"+p.file, v.reader)
		if sha256.Sum256([]byte(body)) != sha256.Sum256(p.body) {
			t.Errorf("what came back is not what was published: %.200q", body)
		}
	})
}
