package importing_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/importing"
)

// secret is what the private source of the tests wants to see.
const secret = "Bearer hunter2"

// asked notes which requests came, with which credential.
type asked struct {
	mu   sync.Mutex
	seen map[string][]string
}

func (a *asked) note(r *http.Request) (times int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[string][]string{}
	}
	a.seen[r.URL.Path] = append(a.seen[r.URL.Path], r.Header.Get("Authorization"))
	return len(a.seen[r.URL.Path])
}

func web(t *testing.T, address string, c importing.Credential) *importing.Web {
	t.Helper()
	w, err := importing.OpenWeb(address, c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A private source is asked with the credential, fails now and then, sends some files on to another host, and has
// others behind a base_url: all of it comes, and the credential goes to the source alone.
func TestFromAnAddress(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	shaky := e.add("noarch", pkg("tide", "1.0", "noarch"), conda.ExtConda)
	moved := e.add("noarch", pkg("tide", "1.1", "noarch"), conda.ExtConda)
	broken := e.add("noarch", pkg("tide", "1.2", "noarch"), conda.ExtConda)
	gone := e.add("noarch", pkg("tide", "1.3", "noarch"), conda.ExtConda)
	based := e.add("linux-64", pkg("tide", "1.4", "linux-64"), conda.ExtConda)
	e.index()

	files := http.FileServer(http.Dir(e.dir))
	var atOther, atSource asked
	other := httptest.NewServer(http.StripPrefix("/elsewhere", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atOther.note(r)
		files.ServeHTTP(w, r)
	})))
	t.Cleanup(other.Close)
	e.info["linux-64"] = fmt.Sprintf(`{"base_url":"%s/elsewhere/linux-64"}`, other.URL)
	e.index()
	source := httptest.NewServer(http.StripPrefix("/chan", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		times := atSource.note(r)
		file := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		switch {
		case r.Header.Get("Authorization") != secret:
			http.Error(w, "who are you?", http.StatusUnauthorized)
		case file == shaky.String() && times == 1:
			http.Error(w, "not now", http.StatusServiceUnavailable)
		case file == broken.String() && times == 1: // cut in the middle
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write([]byte("half"))
		case file == moved.String():
			http.Redirect(w, r, other.URL+"/elsewhere"+r.URL.Path, http.StatusFound)
		case file == gone.String():
			http.NotFound(w, r)
		default:
			files.ServeHTTP(w, r)
		}
	})))
	t.Cleanup(source.Close)

	s := newSite(t, t.TempDir(), "")
	sum, lines := s.bring(t, s.config(web(t, source.URL+"/chan", importing.Credential{Header: "Authorization", Value: secret})))
	if sum.Imported != 4 || sum.Refused != 1 || !strings.Contains(lines["noarch/"+gone.String()].Why, "404") {
		t.Errorf("%+v, %+v", sum, lines)
	}
	if n := len(atSource.seen["/noarch/"+shaky.String()]); n != 2 {
		t.Errorf("%s was asked for %d times", shaky, n)
	}
	for _, path := range []string{"/noarch/" + moved.String(), "/linux-64/" + based.String()} {
		if got := atOther.seen[path]; len(got) != 1 || got[0] != "" {
			t.Errorf("the other host was asked for %s with %q", path, got)
		}
	}
	stored, err := s.db.Stored(t.Context(), s.ch.ID, conda.Noarch(), []string{shaky.String()})
	if err != nil || !stored[shaky.String()].UploadedAt.Equal(old) {
		t.Errorf("stored as %+v, %v; want the time of Last-Modified", stored, err)
	}

	_, err = importing.Run(t.Context(), s.config(web(t, source.URL+"/chan", importing.Credential{})))
	if err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "--token-env") {
		t.Errorf("without a credential: %v", err)
	}
}

// channeldata.json says which subdirs there are; then none is guessed.
func TestSubdirsOfAnAddress(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	e.add("strange-cpu9", pkg("tide", "1.0", "strange-cpu9"), conda.ExtConda)
	e.index()
	e.write("channeldata.json", []byte(`{"channeldata_version":1,"packages":{},"subdirs":["strange-cpu9","../x"]}`))
	var seen asked
	files := http.FileServer(http.Dir(e.dir))
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.note(r)
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(source.Close)
	s := newSite(t, t.TempDir(), "")
	if sum, _ := s.bring(t, s.config(web(t, source.URL, importing.Credential{}))); sum.Imported != 1 {
		t.Errorf("%+v", sum)
	}
	if len(seen.seen["/linux-64/repodata.json"]) != 0 {
		t.Errorf("asked for %v", seen.seen)
	}
}

func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://ann:hunter2@conda.example/forge", "https://conda.example/t/hunter2/forge", "https://conda.example/forge?token=hunter2"} {
		if _, err := importing.OpenWeb(address, importing.Credential{}); err == nil || !strings.Contains(err.Error(), "--token-env") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"ftp://conda.example/forge", "https://", "://"} {
		if _, err := importing.OpenWeb(address, importing.Credential{}); err == nil || !strings.Contains(err.Error(), "https://HOST/CHANNEL") {
			t.Errorf("%s: %v", address, err)
		}
	}
	c := importing.Credential{Header: "Authorization", Value: secret}
	if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(text, "hunter2") {
		t.Errorf("a credential prints as %s", text)
	}
}

// A source that stops answering ends the import; what came before is there, and the next run goes on.
func TestSourceThatGoesAway(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	for i := range 60 {
		e.add("noarch", pkg("tide", fmt.Sprintf("1.%d", i), "noarch"), conda.ExtConda)
	}
	e.index()
	files := http.FileServer(http.Dir(e.dir))
	var back atomic.Bool
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".conda") && !strings.Contains(r.URL.Path, "tide-1.0-0") && !back.Load() {
			panic(http.ErrAbortHandler)
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(source.Close)
	s := newSite(t, t.TempDir(), "")
	c := s.config(web(t, source.URL, importing.Credential{}))
	c.Jobs, c.Pause = 30, time.Millisecond
	began := time.Now()
	sum, err := importing.Run(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "does not answer any more") {
		t.Fatalf("after %v: %+v, %v", time.Since(began), sum, err)
	}
	if _, staging := s.stored(t); len(staging) != 0 {
		t.Errorf("staging holds %v", staging)
	}
	back.Store(true)
	if sum, _ := s.bring(t, s.config(web(t, source.URL, importing.Credential{}))); sum.Imported+sum.Present != 60 || sum.Refused != 0 {
		t.Errorf("the second run: %+v", sum)
	}
}
