package cli_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice/internal/attest"
	"sluice/internal/cli"
	"sluice/internal/conda/build"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sluice": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// Each script is what somebody types and reads. $FREE is an address that nobody listens on, $TAKEN one that
// is in use, $ATTESTED a folder with a package and its attestation.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serving": serving, "post": post, "packages": packages, "attested-packages": attestedPackages, "lock": lock, "with-token": withToken},
		Setup: func(env *testscript.Env) error {
			taken, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = taken.Close() })
			free, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			attested, err := filepath.Abs("../attest/testdata")
			if err != nil {
				return err
			}
			env.Setenv("ATTESTED", attested)
			env.Setenv("SLUICE_SIGSTORE_TUF", "off") // or what a server says depends on the network
			env.Setenv("TAKEN", taken.Addr().String())
			env.Setenv("FREE", free.Addr().String())
			return free.Close()
		},
	})
}

// serving waits until a server answers at an address: serving ADDRESS.
func serving(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serving HOST:PORT")
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if status, _, err := call(http.MethodGet, "http://"+args[0]+"/healthz", "", ""); err == nil && status == http.StatusOK {
			return
		}
	}
	ts.Fatalf("nobody serves %s", args[0])
}

// packages writes a channel into a folder, with a package that is good and one that is not what the index says:
// packages FOLDER.
func packages(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: packages FOLDER")
	}
	dir := filepath.Join(ts.MkAbs(args[0]), "noarch")
	ts.Check(os.MkdirAll(dir, 0o755))
	var members []string
	for _, version := range []string{"1.0", "1.1"} {
		p := build.Package{Name: "tide", Version: version, Build: "0", Subdir: "noarch", Noarch: "generic"}
		b, err := p.Conda()
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(dir, p.Stem()+".conda"), b, 0o644))
		sum := sha256.Sum256(b)
		sum[0] += version[2] - '0' // that of 1.1 is wrong
		members = append(members, fmt.Sprintf(`"%s.conda":{"name":"tide","version":%q,"build":"0","build_number":0,"depends":[],"noarch":"generic","subdir":"noarch","sha256":"%x","size":%d}`,
			p.Stem(), version, sum, len(b)))
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "repodata.json"), []byte(`{"packages.conda":{`+strings.Join(members, ",")+`}}`), 0o644))
}

// attestedPackages writes a channel of linux-64 into a folder, with a package whose attestation holds by the public instance,
// one beside which lies the attestation of the other, and one without: attested-packages FOLDER.
func attestedPackages(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: attested-packages FOLDER")
	}
	dir := filepath.Join(ts.MkAbs(args[0]), "linux-64")
	ts.Check(os.MkdirAll(dir, 0o755))
	signed := filepath.Join(ts.Getenv("ATTESTED"), "signed-package-2.1.0-hb0f4dca_0")
	bundles, err := attest.ReadBundles([]byte(ts.ReadFile(signed+".sigstore.json")), attest.MaxSidecar)
	ts.Check(err)
	sidecar := attest.Sidecar(bundles)
	var members []string
	list := func(p build.Package, body []byte, attested bool) {
		file := p.Stem() + ".conda"
		ts.Check(os.WriteFile(filepath.Join(dir, file), body, 0o644))
		says := ""
		if attested {
			says = fmt.Sprintf(`"attestations_sha256":"%x",`, sha256.Sum256(sidecar))
			ts.Check(os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s.sigs.%x", file, sha256.Sum256(sidecar))), sidecar, 0o644))
		}
		members = append(members, fmt.Sprintf(`"%s":{%s"name":%q,"version":%q,"build":%q,"build_number":0,"depends":[],"subdir":"linux-64","sha256":"%x","size":%d}`,
			file, says, p.Name, p.Version, p.Build, sha256.Sum256(body), len(body)))
	}
	list(build.Package{Name: "signed-package", Version: "2.1.0", Build: "hb0f4dca_0"}, []byte(ts.ReadFile(signed+".conda")), true)
	for _, name := range []string{"ebb", "tide"} {
		p := build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "linux-64"}
		body, err := p.Conda()
		ts.Check(err)
		list(p, body, name == "tide")
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "repodata.json"), []byte(`{"packages.conda":{`+strings.Join(members, ",")+`}}`), 0o644))
}

// lock puts the address of a channel into a lock file: lock FILE ADDRESS.
func lock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lock FILE URL")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(ts.ReadFile(args[0]), "CHANNEL", args[1])), 0o600))
}

// withToken sets SLUICE_TOKEN to what a file holds: with-token FILE.
func withToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: with-token FILE")
	}
	ts.Setenv("SLUICE_TOKEN", strings.TrimSpace(ts.ReadFile(args[0])))
}

// post sends JSON with a token from a file, and succeeds on a 2xx: post ADDRESS FILE JSON.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: post URL TOKENFILE JSON")
	}
	status, said, err := call(http.MethodPost, args[0], strings.TrimSpace(ts.ReadFile(args[1])), args[2])
	ts.Check(err)
	if (status/100 == 2) == neg {
		ts.Fatalf("%d %s", status, said)
	}
}

func call(method, address, token, body string) (int, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b := make([]byte, 4096)
	n, _ := res.Body.Read(b) // enough to say why
	return res.StatusCode, string(b[:n]), nil
}
