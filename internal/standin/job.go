package standin

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// job is what the jobs of all services have.
type job struct {
	service *Service
	request string   // the secret by which it is known when it asks for tokens
	lines   []string // its log; guarded by service.mu
	started time.Time
}

// begin starts a job of the kind, which the service must be of; n is its number, from 1.
func begin[J any](s *Service, k Kind, build func(base job, n int) *J) *J {
	if s.kind != k {
		panic(fmt.Sprintf("standin: the stand-in for %s was asked to start a job of %s", s.kind, k))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := build(job{service: s, request: rand.Text() + rand.Text(), started: s.now()}, s.nextID)
	s.nextID++
	s.jobs = append(s.jobs, j)
	return j
}

// newest returns the newest job for which is holds, or nil.
func newest[J any](s *Service, is func(*J) bool) *J {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range slices.Backward(s.jobs) {
		if j, ok := j.(*J); ok && is(j) {
			return j
		}
	}
	return nil
}

// Log adds a line to the job's log.
func (j *job) Log(line string) {
	j.service.mu.Lock()
	defer j.service.mu.Unlock()
	j.lines = append(j.lines, line)
}

// log returns the lines so far.
func (j *job) log() []string {
	j.service.mu.Lock()
	defer j.service.mu.Unlock()
	return slices.Clone(j.lines)
}

// asks reports whether a request is the job's, by its Bearer token. Clients write the word in either case (RFC 9110, 11.1).
func (j *job) asks(r *http.Request) bool {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return ok && strings.EqualFold(scheme, "bearer") && token == j.request
}

// notOurs answers a request whose Bearer token is of no job.
func notOurs(w http.ResponseWriter) {
	http.Error(w, "the Bearer token is of no job that was started here", http.StatusUnauthorized)
}

// answerValue answers as GitHub's token endpoint and its likes do.
func answerValue(w http.ResponseWriter, token string, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, map[string]any{"value": token})
}

// idOf makes the same id of the same name, always.
func idOf(name string) string { return strconv.Itoa(1_000_000 + int(hash(name)%90_000_000)) }

// uuidOf makes the same UUID (version 8, RFC 9562 §5.8) of the same name, always.
func uuidOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// shaOf makes the commit of the nth job of a repository.
func shaOf(repository string, n int) string {
	return fmt.Sprintf("%08x%032x", hash(repository+strconv.Itoa(n)), n)
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum32()
}
