package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/conda/build"
	"sluice/internal/servertest/postgres"
	"sluice/test/process"
)

// How much is done to how many packages.
const (
	keptPackages = 8
	keeperKills  = 10
)

func TestKillKeepersSQLite(t *testing.T) {
	t.Parallel()
	keep(t, "")
}

func TestKillKeepersPostgres(t *testing.T) {
	t.Parallel()
	keep(t, postgres.Database(t))
}

// kept is what a package is: what the API says of it.
type kept struct {
	State  string          `json:"state"`
	Labels []string        `json:"labels"`
	Patch  json.RawMessage `json:"patch"`
}

func (k kept) String() string {
	state := k.State
	if state == "held" {
		state = "live"
	}
	return fmt.Sprint(state, k.Labels, len(k.Patch) > 0)
}

// keeper changes one package over and over.
type keeper struct {
	name  string
	token string
	pace  *rand.Rand
	now   kept
	// next is what it is if the change that was not answered was made; nil when all were answered.
	next             *kept
	done, cut, wrong int
	said             string
}

// keep yanks, deletes, lists and corrects packages, kills the server meanwhile, and looks after each restart: what was
// answered holds, what was not is whole or not at all, and the index is that of its artifacts.
func keep(t *testing.T, db string) {
	t.Helper()
	o := process.Options{Data: t.TempDir(), DB: db}
	p := process.Start(t, o)
	p.Admin(t, "user", "add", "ann", "--no-password")
	token := p.Admin(t, "token", "create", "--user", "ann", "--scope", "upload,manage,read")
	p.API(t, token, http.MethodPost, "/api/v1/channels", map[string]any{"name": "forge"})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	keepers := make([]*keeper, keptPackages)
	for i := range keepers {
		k := &keeper{name: fmt.Sprintf("tide%d", i), token: token, pace: rand.New(rand.NewPCG(seed, uint64(i+1))), now: kept{State: "live", Labels: []string{"main"}}}
		body, err := build.Package{Name: k.name, Version: "1.0", Build: "0", Subdir: []string{"noarch", "linux-64"}[i%2], Noise: 1000}.Conda()
		if err != nil {
			t.Fatal(err)
		}
		status, said, err := p.Send(t.Context(), process.Upload{Channel: "forge", Bearer: token, Filename: k.name + "-1.0-0.conda", Body: bytes.NewReader(body), Size: int64(len(body)), SHA256: sha256.Sum256(body)})
		if err != nil || status != http.StatusOK {
			t.Fatal(status, said, err)
		}
		keepers[i] = k
	}
	for range keeperKills {
		workUntilKilled(t, p, keepers, time.Duration(random.IntN(300))*time.Millisecond)
		p = process.Start(t, o)
		lookAfter(t, p, keepers)
	}
	done, cut := 0, 0
	for _, k := range keepers {
		done, cut = done+k.done, cut+k.cut
	}
	t.Logf("%d changes answered, %d not", done, cut)
	if cut == 0 {
		t.Error("no change was ever in flight when the server was killed: this test looked at nothing")
	}
}

// workUntilKilled lets every keeper work for a while.
func workUntilKilled(t *testing.T, p *process.Server, keepers []*keeper, delay time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for _, k := range keepers {
		wg.Go(func() {
			for ctx.Err() == nil && k.change(ctx, p) {
				k.done++
			}
		})
	}
	time.Sleep(delay)
	p.Kill()
	cancel()
	wg.Wait()
}

// change does something that can be done to the package now; false when the server is gone or says no.
func (k *keeper) change(ctx context.Context, p *process.Server) bool {
	next := kept{State: k.now.State, Labels: slices.Clone(k.now.Labels), Patch: k.now.Patch}
	change := map[string]any{"reason": "no good"}
	toggle := func(on bool, yes, no string) string {
		if on {
			return yes
		}
		return no
	}
	switch rc := slices.Contains(next.Labels, "rc"); {
	case next.State == "deleted":
		change["kind"], next.State = "restore", "live"
	case k.pace.IntN(4) == 0:
		yanked := next.State == "yanked"
		change["kind"], next.State = toggle(yanked, "unyank", "yank"), toggle(yanked, "live", "yanked")
	case k.pace.IntN(4) == 0 && next.State == "live":
		change["kind"], next.State = "delete", "deleted"
	case k.pace.IntN(2) == 0:
		change["kind"], change["label"] = toggle(rc, "take_out", "list"), "rc"
		if next.Labels = append(next.Labels, "rc"); rc {
			next.Labels = []string{"main"}
		}
	case len(next.Patch) > 0:
		change["kind"], next.Patch = "patch", nil
	default:
		change["kind"], next.Patch = "patch", json.RawMessage(`{"license":"MIT"}`)
		change["patch"] = next.Patch
	}
	status, said, err := k.call(ctx, p, http.MethodPost, "/changes", map[string]any{"change": change, "select": map[string]any{"name": k.name}})
	switch {
	case err != nil:
		k.next, k.cut = &next, k.cut+1
		return false
	case status != http.StatusOK:
		k.wrong++
		k.said = fmt.Sprint(change["kind"], " ", status, " ", said)
		return false
	}
	k.now = next
	return true
}

func (k *keeper) call(ctx context.Context, p *process.Server, method, path string, body any) (int, string, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, p.URL()+"/api/v1/channels/forge"+path, bytes.NewReader(b))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(res.Body)
	return res.StatusCode, string(said), err
}

// lookAfter compares a server that has just started with what the keepers were told.
func lookAfter(t *testing.T, p *process.Server, keepers []*keeper) {
	t.Helper()
	for _, k := range keepers {
		if k.wrong > 0 {
			t.Fatalf("%s: %s", k.name, k.said)
		}
		k.settle(t, p)
		status, said, err := k.call(t.Context(), p, http.MethodGet, "/artifacts?name="+k.name, nil)
		var answer struct{ Artifacts []kept }
		if err != nil || status != http.StatusOK || json.Unmarshal([]byte(said), &answer) != nil || len(answer.Artifacts) != 1 {
			t.Fatalf("%s: %d %s %v", k.name, status, said, err)
		}
		is := answer.Artifacts[0]
		if is.String() != k.now.String() && (k.next == nil || is.String() != k.next.String()) {
			t.Errorf("%s is %s, it was left as %s, or on the way to %v", k.name, is, k.now, k.next)
		}
		if k.next != nil && is.String() == k.next.String() {
			k.now = *k.next
		}
		k.next = nil
	}
	args := []string{"index", "check", "--data", p.Data}
	if p.DB != "" {
		args = append(args, "--db", p.DB)
	}
	out, said, code := process.Run(t, "", args...)
	if code != 0 || !strings.Contains(out, fmt.Sprintf("forge: %d artifacts", keptPackages)) || !strings.Contains(out, "no difference") {
		t.Errorf("index check: code %d\n%s%s", code, out, said)
	}
	if t.Failed() {
		t.Fatalf("the server's log:\n%s", unusual(p.Log()))
	}
}

// settle waits for what the server was at when it was killed: PostgreSQL may still be at a commit that was sent, and
// whoever wants to change the same waits for it. The package is in main already, or deleted, so nothing changes.
func (k *keeper) settle(t *testing.T, p *process.Server) {
	t.Helper()
	for _, state := range []string{"live", "yanked", "deleted"} {
		nothing := map[string]any{"change": map[string]any{"kind": "list", "label": "main"}, "select": map[string]any{"name": k.name, "state": state}}
		status, said, err := k.call(t.Context(), p, http.MethodPost, "/changes", nothing)
		if err != nil || status != http.StatusOK && status != http.StatusConflict && status != http.StatusNotFound {
			t.Fatalf("%s: %d %s %v", k.name, status, said, err)
		}
	}
}
