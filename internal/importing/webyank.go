package importing

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
)

// maxAnswer bounds an answer of a source's JSON API, in bytes.
const maxAnswer = 4 << 20

// Yank implements Source. An index has no room for it; a server of ours tells it by its JSON API.
func (w *Web) Yank(ctx context.Context, d conda.Subdir, f conda.Filename) (y Yank, err error) {
	channel := strings.Trim(w.base.Path, "/")
	if strings.Contains(channel, "/") || !w.tells.is(func() bool { return w.isSluice(ctx) }) {
		return y, nil
	}
	var file struct {
		Yanked struct {
			At     time.Time `json:"at"`
			Reason string    `json:"reason"`
		} `json:"yanked"`
	}
	err = w.api(ctx, &file, "channels", channel, "packages", d.String(), f.String())
	if errors.Is(err, fs.ErrNotExist) {
		return y, nil
	}
	return Yank{At: file.Yanked.At, Reason: fault.OneLine(file.Yanked.Reason, maxReason)}, err
}

// isSluice reports whether the source's server is one of ours.
func (w *Web) isSluice(ctx context.Context) bool {
	var server struct {
		URL     string `json:"url"`
		Version string `json:"version"`
	}
	return w.api(ctx, &server, "server") == nil && server.URL != "" && server.Version != ""
}

// api reads an answer of the JSON API of the source's server.
func (w *Web) api(ctx context.Context, to any, path ...string) error {
	at := *w.base
	at.Path = "/"
	return patiently(ctx, FirstPause, func() error {
		body, err := w.get(ctx, at.JoinPath("api", "v1").JoinPath(path...))
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }() // it was only read
		return json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(to)
	})
}

// answered is a question that is asked once, by whoever needs the answer first.
type answered struct {
	once sync.Once
	yes  bool
}

func (a *answered) is(ask func() bool) bool {
	a.once.Do(func() { a.yes = ask() })
	return a.yes
}
