// Package test is the end-to-end tests: whole servers, over both databases, used by the clients that people
// have. It speaks as they do, of channels, jobs and packages, and looks at a server from the outside.
package test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/test/clients"
)

// world is one server and the people around it: ann owns the public channel forge.
type world struct {
	*servertest.Server
	ann   account.User
	forge channel.Channel
	// key is ann's API token for everything that she may do.
	key string
}

// both runs a test in a world on SQLite and in one on PostgreSQL.
func both(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) { run(t, newWorld(t, s)) })
}

func newWorld(t *testing.T, s *servertest.Server) *world {
	t.Helper()
	w := &world{Server: s, ann: s.User(t, "ann", false)}
	w.forge = s.Channel(t, w.ann, "forge", channel.Public)
	w.key = s.Token(t, w.ann, nil, account.Read, account.Upload, account.Manage)
	return w
}

// channelURL is what people give to their clients.
func (w *world) channelURL(ch channel.Channel) string { return w.URL + "/" + ch.Name.String() }

// inJob is a user inside of a step of the run, on a machine where nobody ran a client before.
func (w *world) inJob(t *testing.T, run standin.Run) *clients.User {
	t.Helper()
	return inJob(t, w.CI, run)
}

func inJob(t *testing.T, ci *standin.Service, run standin.Run) *clients.User {
	t.Helper()
	return clients.NewUser(t).With(variables(ci.Start(run).Env()))
}

// request prepares a request with a bearer token, or with none.
func (w *world) request(t *testing.T, method, path, bearer string, body []byte) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return req
}

// uploadRaw sends a package as old clients and scripts do, as the body of the request.
func (w *world) uploadRaw(t *testing.T, ch channel.Channel, bearer, file string, body []byte) (status int, answer string) {
	t.Helper()
	req := w.request(t, http.MethodPost, "/api/v1/upload/"+ch.Name.String(), bearer, body)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-File-Name", file)
	req.Header.Set("X-File-SHA256", fmt.Sprintf("%x", sha256.Sum256(body)))
	status, _, answer = servertest.Do(t, req)
	return status, answer
}

// parcel is a package file.
type parcel struct {
	subdir, file string
	body         []byte
}

// pack makes the package's file of the given format, conda.ExtConda or conda.ExtTarBz2.
func pack(t *testing.T, p build.Package, ext string) parcel {
	t.Helper()
	made := parcel{subdir: p.Subdir, file: p.Stem() + ext}
	var err error
	if ext == conda.ExtConda {
		made.body, err = p.Conda()
	} else {
		made.body, err = p.TarBz2()
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// fill uploads packages with ann's token, a few at a time, in their order.
func (w *world) fill(t *testing.T, ch channel.Channel, parcels ...parcel) {
	t.Helper()
	next := make(chan parcel)
	var uploads sync.WaitGroup
	for range 4 {
		uploads.Go(func() {
			for p := range next {
				if status, answer := w.uploadRaw(t, ch, w.key, p.file, p.body); status != http.StatusOK {
					t.Errorf("upload of %s: %d %s", p.file, status, answer)
				}
			}
		})
	}
	for _, p := range parcels {
		next <- p
	}
	close(next)
	uploads.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

var answered = regexp.MustCompile(`msg=answered .*?method=(\S+) path="?([^" ]+)"? status=(\d+)`)

// asked returns what the server was asked for since it began, as "GET /forge/noarch/repodata.json 200".
func (w *world) asked() []string {
	var lines []string
	for _, m := range answered.FindAllStringSubmatch(w.Log.String(), -1) {
		lines = append(lines, strings.Join(m[1:], " "))
	}
	return lines
}

// tree lists the files in a part of a server's data folder.
func tree(data, part string) []string {
	var found []string
	_ = filepath.WalkDir(filepath.Join(data, part), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			found = append(found, path)
		}
		return nil // what goes away meanwhile is not there
	})
	return found
}

// storing reports whether the server of that data is taking something in.
func storing(data string) bool { return len(tree(data, "staging")) > 0 }

// await waits until something has happened that nobody tells of.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !happened(); <-tick.C {
		if time.Now().After(end) {
			t.Errorf("waited in vain until %s", what)
			return
		}
	}
}
