// Package crash kills the built program at random moments of many uploads and looks at what is there after
// the restart; it also stops it as an operator does.
package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/cijob"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/servertest/postgres"
	"sluice/internal/standin"
	"sluice/test/process"
)

// How much is done: a hundred uploads, each package to two channels, so that blobs have two owners.
const (
	packages  = 50
	uploaders = 4
	minKills  = 14
	maxKills  = 20
)

var channels = []string{"forge", "mirror"}

func TestKillSQLite(t *testing.T) {
	t.Parallel()
	newStory(t, "").run(t)
}

func TestKillPostgres(t *testing.T) {
	t.Parallel()
	newStory(t, postgres.Database(t)).run(t)
}

// job is one upload to be done until it is acknowledged.
type job struct {
	channel, subdir, file string
	body                  []byte
	sum                   [32]byte
}

func (j job) String() string { return j.channel + "/" + j.subdir + "/" + j.file }

// story is what is to be uploaded, and what the uploaders know.
type story struct {
	options process.Options
	ci      *standin.Service
	token   string // of an account
	rand    *rand.Rand
	seen    *ledger

	mu    sync.Mutex // guards what follows
	queue []job
	acked map[string]job
	tried map[string]job
}

func newStory(t *testing.T, db string) *story {
	t.Helper()
	ci, err := standin.Listen("127.0.0.1:0", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ci.Close() })
	seed := [2]uint64{rand.Uint64(), rand.Uint64()}
	t.Logf("seed %v", seed)
	s := &story{
		options: process.Options{Data: t.TempDir(), DB: db, Issuer: ci.URL(), Args: []string{"--log-level", "debug"}},
		ci:      ci, rand: rand.New(rand.NewPCG(seed[0], seed[1])),
		acked: map[string]job{}, tried: map[string]job{},
	}
	s.seen = newLedger(t, s.options)
	s.fill(t)
	return s
}

// fill makes the packages: ten names with five builds each, of both formats, in two subdirs, from 2 KB to 600 KB.
func (s *story) fill(t *testing.T) {
	t.Helper()
	for i := range packages {
		p := build.Package{
			Name: fmt.Sprintf("tide%d", i%10), Version: fmt.Sprintf("1.%d", i/10), Build: "0", Subdir: "noarch", Noarch: "generic",
			Depends: []string{fmt.Sprintf("ebb >=%d", i)}, Noise: int64(s.rand.IntN(1 << 10)),
			RunExports: conda.RunExports{Weak: []string{fmt.Sprintf("tide >=%d", i)}},
		}
		if i%3 == 0 {
			p.Subdir, p.Noarch = "linux-64", ""
		}
		write, ext := p.Conda, conda.ExtConda
		if i%5 == 0 {
			write, ext = p.TarBz2, conda.ExtTarBz2
		} else if i%2 == 0 {
			p.Noise = int64(s.rand.IntN(600 << 10))
			write = p.Conda
		}
		body, err := write()
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range channels {
			s.queue = append(s.queue, job{ch, p.Subdir, p.Stem() + ext, body, sha256.Sum256(body)})
		}
	}
	s.rand.Shuffle(len(s.queue), func(i, j int) { s.queue[i], s.queue[j] = s.queue[j], s.queue[i] })
}

// run kills and restarts until all is uploaded, and looks after every restart.
func (s *story) run(t *testing.T) {
	s.found(t)
	kills := 0
	for ; kills < maxKills && (kills < minKills || s.left() > 0); kills++ {
		if s.rand.IntN(4) == 0 { // in the middle of a start, perhaps of the recovery itself
			p := process.Launch(t, s.options)
			time.Sleep(time.Duration(s.rand.IntN(150)) * time.Millisecond)
			p.Kill()
		}
		p := process.Start(t, s.options)
		s.check(t, p)
		s.uploadUntilKilled(t, p)
	}
	p := process.Start(t, s.options)
	s.check(t, p)
	s.finish(t, p)
	s.check(t, p)
	t.Logf("%d kills, %d uploads without an answer, %d with an answer of 500, %d of them all were there afterwards, %d intruders refused", kills, s.seen.cut, s.seen.unsure, len(s.seen.survived), s.seen.refused)
	if s.seen.cut == 0 {
		t.Error("no upload was ever in flight when the server was killed: this test looked at nothing")
	}
}

// found makes an account, a token, the channels and their publishers.
func (s *story) found(t *testing.T) {
	t.Helper()
	p := process.Start(t, s.options)
	p.Admin(t, "user", "add", "ann", "--no-password")
	s.token = p.Admin(t, "token", "create", "--user", "ann", "--scope", "upload,manage")
	for _, ch := range channels {
		p.API(t, s.token, http.MethodPost, "/api/v1/channels", map[string]any{"name": ch})
		p.API(t, s.token, http.MethodPost, "/api/v1/channels/"+ch+"/trusted-publishers", map[string]any{
			"repository_owner": "acme", "repository": "forge", "workflow": "build.yml",
		})
	}
	p.Kill()
}

func (s *story) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// uploadUntilKilled lets the uploaders work for a random while.
func (s *story) uploadUntilKilled(t *testing.T, p *process.Server) {
	t.Helper()
	bearers := s.bearers(t, p)
	delay := time.Duration(s.rand.IntN(int(350 * time.Millisecond)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for i := range uploaders {
		pace := rand.New(rand.NewPCG(s.rand.Uint64(), uint64(i)))
		wg.Go(func() {
			for ctx.Err() == nil && s.one(ctx, p, bearers[i], pace) {
				s.intrude(ctx, p, bearers[i], pace)
			}
		})
	}
	time.Sleep(delay / 2)
	s.seen.disconnect(t)
	time.Sleep(delay / 2)
	p.Kill()
	cancel()
	wg.Wait()
}

// bearers gives half of the uploaders publish tokens of CI runs.
func (s *story) bearers(t *testing.T, p *process.Server) []string {
	t.Helper()
	out := make([]string, uploaders)
	for i := range out {
		if out[i] = s.token; i%2 == 0 {
			continue
		}
		ci := cijob.New(s.ci.Start(standin.Run{}).Env())
		id, err := ci.IdentityToken(t.Context(), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if out[i], err = ci.Mint(t.Context(), p.URL(), id); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// one uploads one package; false when there is none left or the server is gone.
func (s *story) one(ctx context.Context, p *process.Server, bearer string, pace *rand.Rand) bool {
	s.mu.Lock()
	if len(s.queue) == 0 {
		s.mu.Unlock()
		return false
	}
	j := s.queue[0]
	s.queue = s.queue[1:]
	s.tried[j.String()] = j
	s.mu.Unlock()
	status, said, err := s.send(ctx, p, bearer, j, pace)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.queue = append(s.queue, j)
		s.seen.cut++
		return false
	case status == http.StatusInternalServerError && s.seen.disconnected > 0:
		s.queue = append(s.queue, j) // the database was cut off under it: perhaps it is there, perhaps not
		s.seen.unsure++
	case status == http.StatusOK:
		s.acked[j.String()] = j
	case status == http.StatusConflict && strings.Contains(said, "with these same bytes"):
		// The first try came through and was never answered, and this one has another token.
		s.acked[j.String()] = j
	default:
		s.seen.bad(fmt.Errorf("%s: %d %s", j, status, said))
	}
	return true
}

// intrude sends other bytes under a name that was acknowledged: a refusal must leave nothing, whenever it is cut.
func (s *story) intrude(ctx context.Context, p *process.Server, bearer string, pace *rand.Rand) {
	s.mu.Lock()
	var victim job
	for _, victim = range s.acked {
		break
	}
	s.mu.Unlock()
	if victim.body == nil || pace.IntN(3) > 0 {
		return
	}
	other, err := build.Package{
		Name: strings.SplitN(victim.file, "-", 2)[0], Version: strings.Split(victim.file, "-")[1], Build: "0", Subdir: victim.subdir, Noise: 1 + int64(pace.IntN(1<<10)),
	}.Conda()
	if err != nil || !strings.HasSuffix(victim.file, conda.ExtConda) {
		return
	}
	victim.body, victim.sum = other, sha256.Sum256(other)
	status, said, err := s.send(ctx, p, bearer, victim, pace)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && status == http.StatusInternalServerError && s.seen.disconnected > 0 {
		return
	}
	if err == nil && status != http.StatusConflict {
		s.seen.bad(fmt.Errorf("other bytes of %s: %d %s", victim, status, said))
	} else if err == nil {
		s.seen.refused++
	}
}

// send uploads at a random pace, in either form.
func (s *story) send(ctx context.Context, p *process.Server, bearer string, j job, pace *rand.Rand) (int, string, error) {
	u := process.Upload{Channel: j.channel, Bearer: bearer, Filename: j.file, Body: bytes.NewReader(j.body), Size: int64(len(j.body)), SHA256: j.sum}
	if pace.IntN(3) == 0 {
		u.Body = &slow{r: u.Body, pace: pace}
	}
	u.Raw = pace.IntN(4) == 0
	return p.Send(ctx, u)
}

// slow hands out a body in a few pieces with pauses.
type slow struct {
	r    io.Reader
	pace *rand.Rand
}

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(time.Duration(s.pace.IntN(4)) * time.Millisecond)
	return s.r.Read(p[:min(len(p), 16<<10)])
}

// finish uploads what is left without being killed.
func (s *story) finish(t *testing.T, p *process.Server) {
	t.Helper()
	bearers := s.bearers(t, p)
	pace := rand.New(rand.NewPCG(1, 2))
	for i := 0; ; i++ {
		if !s.one(t.Context(), p, bearers[i%uploaders], pace) {
			break
		}
	}
	if n := len(s.acked); n != packages*len(channels) {
		t.Errorf("%d uploads were acknowledged in the end, want %d", n, packages*len(channels))
	}
}

// check looks at a server that has just started, while nobody uploads.
func (s *story) check(t *testing.T, p *process.Server) {
	t.Helper()
	s.seen.storage(t)
	there := map[string]bool{}
	for _, ch := range channels {
		for _, subdir := range []string{"noarch", "linux-64"} {
			x, err := servertest.ReadIndex(t.Context(), p.URL()+"/"+ch+"/"+subdir, "")
			if err != nil {
				t.Fatalf("%s/%s: %v", ch, subdir, err)
			}
			s.seen.generation(t, ch, subdir, x)
			for file := range x.Records {
				name := ch + "/" + subdir + "/" + file
				there[name] = true
				if err := s.same(t.Context(), p, name, x.SHA256[file]); err != nil {
					t.Errorf("%s is listed, but: %v", name, err)
				}
			}
		}
	}
	for name := range s.acked {
		if !there[name] {
			t.Errorf("%s was acknowledged and is gone", name)
		}
	}
	for name := range there {
		if _, ok := s.acked[name]; !ok {
			s.seen.survived[name] = true
		}
	}
	for _, err := range s.seen.errs {
		t.Error(err)
	}
	s.seen.errs = nil
	if t.Failed() {
		t.Fatalf("the server's log, without what went well:\n%s", unusual(p.Log()))
	}
}

// unusual is a log without the requests that were answered well.
func unusual(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, " status=200 ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// same fetches a file and compares it with what was sent.
func (s *story) same(ctx context.Context, p *process.Server, name, listed string) error {
	j, ok := s.tried[name]
	if !ok {
		return errors.New("nobody sent it")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/"+name, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || !bytes.Equal(b, j.body) || listed != fmt.Sprintf("%x", j.sum) {
		return fmt.Errorf("%s, %d bytes of %d, listed with digest %s, want %x", res.Status, len(b), len(j.body), listed, j.sum)
	}
	return nil
}
