package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

func noEnv(string) string { return "" }

func envOf(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) string { return m[k] }
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sluice.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDefaultsAreValid(t *testing.T) {
	c, err := Load(Flags{}, noEnv, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.URL != "http://127.0.0.1:8080" || c.Audience() != "127.0.0.1" || c.UploadMax != 5<<30 ||
		c.PublishTokenLife != 30*time.Minute || c.LogLevel != slog.LevelInfo || len(c.Issuers) != 2 {
		t.Errorf("defaults = %+v", c)
	}
}

func TestHigherSourceWins(t *testing.T) {
	file := writeFile(t, "listen = \"127.0.0.1:1\"\ndata = \"from-file\"\nupload_max = 1048576\nlog_format = \"json\"\n[issuer]\nforge = \"https://f.example.com\"\n")
	env := envOf("SLUICE_LISTEN", "127.0.0.1:2", "SLUICE_DATA", "from-env", "SLUICE_AUDIENCE", "a, b", "SLUICE_CONFIG", file)
	c, err := Load(Flags{Listen: new(Text("127.0.0.1:3"))}, env, "")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Listen, c.Data, c.UploadMax, c.LogFormat, c.LogLevel, c.AllAudiences(), c.Issuers}
	want := []any{
		"127.0.0.1:3", "from-env", Bytes(1 << 20), "json", slog.LevelInfo,
		[]string{"127.0.0.1", "a", "b"}, map[string]Issuer{"forge": {URL: "https://f.example.com"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	named, err := Load(Flags{}, env, writeFile(t, `data = "x"`))
	if err != nil || named.LogFormat != "text" {
		t.Errorf("a file that is named must win over SLUICE_CONFIG: %v, %v", named.LogFormat, err)
	}
}

func TestEverySettingHasEverySource(t *testing.T) {
	rows := Config{}.rows()
	fields := reflect.TypeFor[Flags]()
	if len(rows) != fields.NumField() {
		t.Fatalf("%d settings are printed, there are %d", len(rows), fields.NumField())
	}
	for i, key := range keys() {
		f := fields.Field(i)
		if rows[i].key != key || flagName(key) != "--"+f.Tag.Get("name") || f.Tag.Get("help") == "" {
			t.Errorf("setting %d: printed as %q, in the file %q, as flag %q", i, rows[i].key, key, f.Tag.Get("name"))
		}
	}
}

func TestKongFillsFlags(t *testing.T) {
	var cmd struct{ Flags }
	p, err := kong.New(&cmd, kong.Exit(func(int) { t.Fatal("exit") }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse([]string{
		"--listen=127.0.0.1:9", "--issuer", "github=http://127.0.0.1:9000", "--issuer=forge=https://f.example.com/x=1",
		"--audience", "prefix.dev", "--stall-timeout=5s",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(cmd.Flags, noEnv, "")
	want := map[string]Issuer{"github": {URL: "http://127.0.0.1:9000"}, "forge": {URL: "https://f.example.com/x=1"}}
	if err != nil || c.Listen != "127.0.0.1:9" || c.StallTimeout != 5*time.Second || cmp.Diff(c.Issuers, want) != "" ||
		cmp.Diff(c.Audiences, []string{"prefix.dev"}) != "" || c.UploadMax != 5<<30 {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestMistakesComeAllAtOnce(t *testing.T) {
	file := writeFile(t, "listen = \"nowhere\"\n\nuplaod_max = 5\n[issuers.x]\nulr = \"y\"\n")
	env := envOf("SLUICE_UPLOAD_MAX", "5G", "SLUICE_LOG_LEVEL", "loud", "SLUICE_STORE", "s3://bucket/x",
		"SLUICE_DB", "mysql://root:hunter2@db/x", "SLUICE_ISSUER", "github")
	_, err := Load(Flags{PublishTokenLife: new(Text("2h")), ShutdownGrace: new(Text("0s")), DeleteUndo: new(Text("-1h"))}, env, file)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		file + `, line 3: there is no setting "uplaod_max"`,
		file + `, line 5: there is no setting "issuers.x.ulr"; the settings are url, provider,`,
		file + `: listen: "nowhere" is not HOST:PORT`,
		`SLUICE_UPLOAD_MAX: "5G" is not a size`,
		`SLUICE_LOG_LEVEL: "loud" is not a level`,
		`SLUICE_STORE: this version cannot keep packages in S3 yet`,
		`SLUICE_DB: it must be an address like postgres://`,
		`SLUICE_ISSUER: "github" is not NAME=URL`,
		`--publish-token-life: 2h0m0s is not between 5m0s and 1h0m0s`,
		`--shutdown-grace: 0s is not between`,
		`--delete-undo: -1h0m0s is not between 0s and 87600h0m0s`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the mistakes lack %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password is shown:\n%v", err)
	}
	if n := strings.Count(err.Error(), "SLUICE_UPLOAD_MAX"); n != 1 {
		t.Errorf("one mistake is named %d times:\n%v", n, err)
	}
}

func TestBadFiles(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"listen = \n", ", line 1: "},
		{"data = \"x\"\ndata = \"y\"\n", ", line 2: "},
		{"\nlisten = [\"a\"]\n", ", line 2: "},
	} {
		t.Run(tt.text, func(t *testing.T) {
			if _, err := Load(Flags{}, noEnv, writeFile(t, tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := Load(Flags{}, noEnv, filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("a missing file that was named must be a mistake")
	}
}

func TestURL(t *testing.T) {
	for _, tt := range []struct{ listen, url, want, audience, wantErr string }{
		{url: "https://Conda.Example.com/", want: "https://conda.example.com", audience: "conda.example.com"},
		{url: "https://conda.example.com:443", want: "https://conda.example.com", audience: "conda.example.com"},
		{url: "https://conda.example.com:8443", want: "https://conda.example.com:8443", audience: "conda.example.com"},
		{url: "http://localhost:80", want: "http://localhost", audience: "localhost"},
		{url: "http://[::1]:8080", want: "http://[::1]:8080", audience: "[::1]"},
		{listen: "localhost:99", want: "http://localhost:99", audience: "localhost"},
		{listen: "[::1]:99", want: "http://[::1]:99", audience: "[::1]"},
		{listen: "0.0.0.0:80", url: "https://c.example.com", want: "https://c.example.com", audience: "c.example.com"},
		{listen: "0.0.0.0:8080", wantErr: "the audience that CI identity tokens must name"},
		{listen: ":8080", wantErr: "cannot be guessed"},
		{listen: "192.168.1.7:8080", wantErr: "cannot be guessed"},
		{url: "http://conda.example.com", wantErr: "plain http"},
		{url: "http://127.0.0.1.example.com", wantErr: "plain http"},
		{url: "https://example.com/conda", wantErr: "has a path: clients ask"},
		{url: "https://ann:pw@example.com", wantErr: "user name or password"},
		{url: "https://example.com?x=1", wantErr: "end after host and port"},
		{url: "https://example.com/#x", wantErr: "end after host and port"},
		{url: "conda.example.com", wantErr: "must begin with https://"},
		{url: "ftp://example.com", wantErr: "must begin with https://"},
		{url: "https://", wantErr: "names no host"},
		{url: "https://bücher.example.com", wantErr: "xn--"},
		{url: "https://example.com.", wantErr: "cannot stand in a URL"},
		{url: "https://exa mple.com", wantErr: "not a URL"},
	} {
		t.Run(tt.listen+" "+tt.url, func(t *testing.T) {
			var f Flags
			if tt.listen != "" {
				f.Listen = new(Text(tt.listen))
			}
			if tt.url != "" {
				f.URL = new(Text(tt.url))
			}
			c, err := Load(f, noEnv, "")
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error = %v, want %q in it", err, tt.wantErr)
				}
				if err != nil && strings.Contains(err.Error(), "pw") {
					t.Errorf("a password is shown: %v", err)
				}
				return
			}
			if err != nil || c.URL != tt.want || c.Audience() != tt.audience {
				t.Errorf("URL %q, audience %q, %v; want %q, %q", c.URL, c.Audience(), err, tt.want, tt.audience)
			}
		})
	}
}

func TestIssuers(t *testing.T) {
	for _, tt := range []struct{ name, url, wantErr string }{
		{"github", "https://token.actions.githubusercontent.com", ""},
		{"ghes", "https://ghes.example.com/_services/token", ""},
		{"demo", "http://127.0.0.1:9000", ""},
		{"bad", "http://forge.example.com", "plain http"},
		{"bad", "https://x.example.com?y", "plain address"},
		{"bad", "https://u:p@x.example.com", "plain address"},
		{"Bad Name", "https://x.example.com", "is not a name"},
		{"", "https://x.example.com", "is not a name"},
		{"github", "", ""},
		{"bad", "x", "must begin with https://"},
	} {
		t.Run(tt.name+"="+tt.url, func(t *testing.T) {
			_, err := Load(Flags{Issuer: map[string]string{tt.name: tt.url}}, noEnv, "")
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("error = %v, want %q", err, tt.wantErr)
			}
		})
	}
	twice := map[string]string{"a": "https://x.example.com", "b": "https://x.example.com"}
	if _, err := Load(Flags{Issuer: twice}, noEnv, ""); err == nil || !strings.Contains(err.Error(), "same issuer") {
		t.Errorf("one issuer under two names: %v", err)
	}
}

func TestBound(t *testing.T) {
	for _, tt := range []struct{ listen, url, addr, want string }{
		{"127.0.0.1:0", "", "127.0.0.1:4321", "http://127.0.0.1:4321"},
		{"localhost:0", "", "127.0.0.1:4321", "http://localhost:4321"},
		{"[::1]:0", "", "[::1]:4321", "http://[::1]:4321"},
		{"localhost:80", "", "127.0.0.1:80", "http://localhost"},
		{"127.0.0.1:0", "https://c.example.com", "127.0.0.1:4321", "https://c.example.com"},
	} {
		f := Flags{Listen: new(Text(tt.listen)), URL: new(Text(tt.url))}
		c, err := Load(f, noEnv, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Bound(tt.addr); got.URL != tt.want || got.Listen != tt.addr {
			t.Errorf("%s bound to %s: %q, listens on %q; want %q", tt.listen, tt.addr, got.URL, got.Listen, tt.want)
		}
	}
}

func TestPrintCanBeLoaded(t *testing.T) {
	f := Flags{
		Data: new(Text(`C:\odd "folder"` + "\t")), DB: new(Text("postgres://u:hunter2@h/d")),
		Audience: []string{"prefix.dev"}, StallTimeout: new(Text("1m30s")), LogLevel: new(Text("warn")),
	}
	c, err := Load(f, noEnv, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`# db = "(secret)"`, "# --db", "# default", `log_level = "warn"`, "# from listen", `# store = ""`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("a password is shown:\n%s", &out)
	}
	again, err := Load(Flags{DB: f.DB}, noEnv, writeFile(t, out.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	var second bytes.Buffer
	if err := again.Print(&second); err != nil {
		t.Fatal(err)
	}
	for i, r := range again.rows() {
		if r.value != c.rows()[i].value {
			t.Errorf("%s = %s, was %s", r.key, r.value, c.rows()[i].value)
		}
	}
}

func TestBytes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Bytes
		out  string
	}{
		{"5GiB", 5 << 30, "5GiB"},
		{"2 GiB", 2 << 30, "2GiB"},
		{"1000MB", 1e9, "1000000000B"},
		{"1048576", 1 << 20, "1MiB"},
		{"1023B", 1023, "1023B"},
		{"0", 0, "0B"},
		{"8388607TiB", 8388607 << 40, "8388607TiB"},
		{"8388608TiB", -1, ""},
		{"5G", -1, ""},
		{"5gib", -1, ""},
		{"-1", -1, ""},
		{"1.5GiB", -1, ""},
		{"GiB", -1, ""},
		{"", -1, ""},
		{"5GiBGiB", -1, ""},
	} {
		got, err := ParseBytes(tt.in)
		if tt.want < 0 {
			if err == nil {
				t.Errorf("ParseBytes(%q) = %v, want an error", tt.in, got)
			}
			continue
		}
		if err != nil || got != tt.want || got.String() != tt.out {
			t.Errorf("ParseBytes(%q) = %d (%v), %v; want %d (%s)", tt.in, got, got, err, tt.want, tt.out)
		}
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	c := Config{DB: "postgres://u:hunter2@h/d"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(io.MultiWriter(&log), nil)).Info("x", "db", c.DB, "config", c)
	j, _ := json.Marshal(c)
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), string(j), log.String()} {
		if strings.Contains(s, "hunter2") || !strings.Contains(s, "(secret)") {
			t.Errorf("shown as %s", s)
		}
	}
	if c.DB.Reveal() != "postgres://u:hunter2@h/d" || Secret("").String() != "" {
		t.Error("Reveal or the empty secret is wrong")
	}
}

// fullIssuers is a file that uses every setting of issuers.
const fullIssuers = `issuer = { github = "" }

[issuers.gitlab-work]
url = "https://gitlab.acme.dev"
audiences = ["https://gitlab.acme.dev/api"]
algorithms = ["RS256", "ES256"]
proxy = "http://u:hunter2@proxy.acme.dev:3128"
ca_file = "ca.pem"
max_lifetime = "2h"

[issuers.jenkins]
url = "https://jenkins.acme.dev/oidc"
provider = "generic"
jwks_file = "/etc/sluice/jenkins.json"
events = ["push"]
hosted_runner = "cloud"
fold = true
needs_jti = true
run_link = "https://jenkins.acme.dev/job/{job}/{build}"

[issuers.jenkins.claims]
repository = "sub"
repository_id = "sub"

[issuers.other]
url = "https://ci.acme.dev"
jwks_uri = "https://keys.acme.dev/jwks"
`

func TestIssuerTables(t *testing.T) {
	file := writeFile(t, fullIssuers)
	c, err := Load(Flags{}, noEnv, file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Issuer{
		"github": {},
		"gitlab-work": {URL: "https://gitlab.acme.dev", Audiences: []string{"https://gitlab.acme.dev/api"}, Algorithms: []string{"RS256", "ES256"},
			Proxy: "http://u:hunter2@proxy.acme.dev:3128", CAFile: filepath.Join(filepath.Dir(file), "ca.pem"), MaxLifetime: 2 * time.Hour},
		"jenkins": {URL: "https://jenkins.acme.dev/oidc", Provider: "generic", JWKSFile: "/etc/sluice/jenkins.json", Events: []string{"push"}, HostedRunner: "cloud",
			Fold: true, NeedsJTI: true, RunLink: "https://jenkins.acme.dev/job/{job}/{build}", Claims: map[string]string{"repository": "sub", "repository_id": "sub"}},
		"other": {URL: "https://ci.acme.dev", JWKSURI: "https://keys.acme.dev/jwks"},
	}
	if d := cmp.Diff(want, c.Issuers); d != "" {
		t.Error(d)
	}

	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String()+fmt.Sprintf("%v %+v %#v", c, c, c), "hunter2") || !strings.Contains(out.String(), `# proxy = "(secret)"`) {
		t.Errorf("a password is shown, or no word about it:\n%s", &out)
	}
	again, err := Load(Flags{}, noEnv, writeFile(t, out.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	secret := want["gitlab-work"]
	secret.Proxy = ""
	want["gitlab-work"] = secret
	if d := cmp.Diff(want, again.Issuers); d != "" {
		t.Errorf("what was printed is read otherwise:\n%s\n%s", d, &out)
	}
}

// Tables replace the default, and a flag or a variable replaces all that a file says.
func TestWhichIssuersWin(t *testing.T) {
	both := "[issuer]\ngithub = \"\"\n[issuers.work]\nurl = \"https://w.example.com\"\nprovider = \"github\"\n"
	only := "[issuers.work]\nurl = \"https://w.example.com\"\n"
	for _, tt := range []struct {
		name, file string
		flags      Flags
		env        func(string) string
		want       string
	}{
		{"default", "", Flags{}, noEnv, "github gitlab"},
		{"file", both, Flags{}, noEnv, "github work"},
		{"tables alone", only, Flags{}, noEnv, "work"},
		{"flag", both, Flags{Issuer: map[string]string{"x": "https://x.example.com"}}, noEnv, "x"},
		{"variable", both, Flags{}, envOf("SLUICE_ISSUER", "x=https://x.example.com,y=https://y.example.com"), "x y"},
		{"flag of the same name", only, Flags{Issuer: map[string]string{"work": "https://x.example.com"}}, noEnv, "work"},
	} {
		c, err := Load(tt.flags, tt.env, writeFile(t, tt.file))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(c.Issuers)), " "); got != tt.want || tt.flags.Issuer != nil && c.Issuers["work"].Provider != "" {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestBadIssuerTables(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"[issuers.x]\nurl = \"https://x.example.com\"\n", ""},
		{"[issuers.x]\nurl = \"https://x.example.com\"\nulr = \"y\"\n", `line 3: there is no setting "issuers.x.ulr"; the settings are url, provider, algorithms`},
		{"[issuers.x.claim]\nrepository = \"sub\"\n", `there is no setting "issuers.x.claim`},
		{"[issuers]\nx = \"y\"\n", "line 2: "},
		{"[issuers.x]\nalgorithms = \"RS256\"\n", "line 2: "},
		{"[issuers.x]\nfold = \"yes\"\n", "line 2: "},
		{"[issuers.x]\nurl = \"http://x.example.com\"\n", "x: \"http://x.example.com\" is plain http"},
		{"[issuers.x]\nurl = \"http://127.0.0.1:9000\"\n", ""},
		{"[issuers.x]\njwks_uri = \"http://x.example.com/k\"\n", "x.jwks_uri: "},
		{"[issuers.x]\njwks_uri = \"https://x.example.com/k?v=1\"\n", ""},
		{"[issuers.x]\njwks_uri = \"https://u:p@x.example.com/k?v=1\"\n", "x.jwks_uri: "},
		{"[issuers." + strings.Repeat("x", 41) + "]\n", "is not a name for an issuer"},
		{"[issuers.x]\nalgorithms = [\"HS256\"]\n", `x.algorithms: "HS256" is not one of: RS256`},
		{"[issuers.x]\nalgorithms = [\"none\"]\n", `x.algorithms: "none" is not one of`},
		{"[issuers.x]\nalgorithms = [\"EdDSA\"]\n", ""},
		{"[issuers.x]\naudiences = [\"a b\"]\n", `x.audiences: "a b" cannot be an audience`},
		{"[issuers.x]\nmax_lifetime = \"2d\"\n", `issuers.x: max_lifetime: "2d" is not a length of time`},
		{"[issuers.x]\nmax_lifetime = \"25h\"\n", "x.max_lifetime: 25h0m0s is not between"},
		{"[issuers.X]\nurl = \"https://x.example.com\"\n", `"X" is not a name for an issuer`},
		{"[issuers.x]\nurl = \"https://x.example.com\"\n[issuers.y]\nurl = \"https://x.example.com\"\n", "x and y name the same issuer"},
		{"[issuer]\nx = \"https://x.example.com\"\n[issuers.x]\nurl = \"https://y.example.com\"\n", "the setting issuer has x, too"},
	} {
		_, err := Load(Flags{}, noEnv, writeFile(t, tt.text))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\nerror %v, want %q in it", tt.text, err, tt.want)
		}
	}
	all := "[issuers.x]\nalgorithms = [\"HS256\", \"none\"]\nmax_lifetime = \"1s\"\naudiences = [\"\"]\n[issuers.y]\nurl = \"ftp://x\"\n"
	if _, err := Load(Flags{}, noEnv, writeFile(t, all)); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("not all mistakes at once: %v", err)
	}
}
