package files_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
)

// sink is a ResponseWriter that notes what it is to read from.
type sink struct {
	*httptest.ResponseRecorder
	files int
}

// ReadFrom implements io.ReaderFrom, as the writer of net/http does.
func (s *sink) ReadFrom(src io.Reader) (int64, error) {
	if part, ok := src.(*io.LimitedReader); ok {
		if _, ok := part.R.(*os.File); ok {
			s.files++
		}
	}
	return io.Copy(s.ResponseRecorder, src)
}

// The bytes of a package come to net/http as a piece of a file, whatever stands between, so that the kernel sends them.
func TestPackagesAreSentByTheKernel(t *testing.T) {
	s := servertest.New(t, servertest.Options{})
	ann := s.User(t, "ann", false)
	s.Channel(t, ann, "forge", channel.Public)
	publish(t, s, s.Token(t, ann, nil, account.Upload), build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noise: 1 << 20})
	for _, part := range []string{"", "bytes=100-"} {
		w := &sink{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodGet, "/forge/noarch/tide-1.0-0.conda", nil)
		if part != "" {
			r.Header.Set("Range", part)
		}
		s.Handler().ServeHTTP(w, r)
		if w.files == 0 || w.Body.Len() < 1<<20 || w.Code != http.StatusOK && w.Code != http.StatusPartialContent {
			t.Errorf("Range %q: %d with %d bytes, from a file %d times", part, w.Code, w.Body.Len(), w.files)
		}
	}
}
