package cli_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/cli"
	"sluice/internal/servertest"
)

// watched gathers what is printed, and does something when it has printed a text.
type watched struct {
	servertest.Log
	text string
	do   func(all string)
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Log.Write(p)
	if all := w.String(); w.do != nil && strings.Contains(all, w.text) {
		do := w.do
		w.do = nil
		do(all)
	}
	return n, err
}

// Without --once the demo stays up, and what it told to open is there.
func TestDemoStaysUntilItIsEnded(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &watched{text: "Ctrl-C ends it."}
	out.do = func(all string) {
		go func() {
			defer stop()
			for _, path := range []string{"/demo/noarch/repodata.json", "/readyz"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, regexp.MustCompile(`http://127.0.0.1:[0-9]+`).FindString(all)+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if status, _, said := servertest.Do(t, req); status != http.StatusOK {
					t.Errorf("%s: %d %s", path, status, said)
				}
			}
		}()
	}
	var said servertest.Log
	if code := cli.Run(ctx, []string{"demo", "--listen", "127.0.0.1:0"}, cli.Streams{In: strings.NewReader(""), Out: out, Err: &said}); code != 0 {
		t.Errorf("exit code %d: %s", code, said.String())
	}
	for _, want := range []string{"pixi init try --channel http://127.0.0.1:", "micromamba create", "rattler-build upload prefix --url", "/sign-in "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}

// Whoever ends it before it is done is told so, and with --once this is no success.
func TestDemoEndedBeforeItIsDone(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out := &watched{text: "Nobody gave it a key", do: func(string) { stop() }}
	var said servertest.Log
	code := cli.Run(ctx, []string{"demo", "--once", "--listen", "127.0.0.1:0"}, cli.Streams{In: io.LimitReader(nil, 0), Out: out, Err: &said})
	if code != 1 || said.String() != "sluice: stopped before everything was shown\n" {
		t.Errorf("exit code %d: %q", code, said.String())
	}
}

// A command that a signal cuts says so, and not how the program noticed.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var said servertest.Log
	code := cli.Run(ctx, []string{"index", "check", "--data", t.TempDir()}, cli.Streams{In: io.LimitReader(nil, 0), Out: io.Discard, Err: &said})
	if code != 1 || said.String() != "sluice: interrupted before it was done\n" {
		t.Errorf("exit code %d: %q", code, said.String())
	}
}
