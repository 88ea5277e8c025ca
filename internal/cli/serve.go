package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"sluice/internal/blob"
	"sluice/internal/config"
	"sluice/internal/db"
	"sluice/internal/server"
)

type serveCommand struct {
	configFlags
}

// Run serves until ctx ends, then lets requests in flight finish.
func (c *serveCommand) Run(ctx context.Context, s Streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	run, err := start(ctx, cfg, newLogger(cfg, s.Err))
	if err != nil {
		return err
	}
	// It listens already, so whoever stops it now stops a server, and no start that failed.
	if err := run.greet(context.WithoutCancel(ctx), s.Out); err != nil {
		return errors.Join(err, run.stop())
	}
	return run.wait(ctx)
}

// running is a server that listens.
type running struct {
	server *server.Server
	cfg    config.Config
	log    *slog.Logger
	data   *data
	http   *http.Server
	failed chan error
	// busy counts the requests that are being answered.
	busy sync.WaitGroup
	// endJobs ends what goes on beside the requests; jobs is closed when it has ended.
	endJobs context.CancelFunc
	jobs    chan struct{}
}

// Times of a connection. There is none for a whole request: the gate gives bodies a deadline by progress.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
)

// start opens the data, takes up what a crash left, and listens.
func start(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *running, err error) {
	d, err := openData(ctx, cfg, db.Upgrading(func(from, to int64) {
		log.InfoContext(ctx, "bringing the database up to date", slog.Int64("from", from), slog.Int64("to", to))
	}))
	if err != nil {
		return nil, err
	}
	r := &running{data: d, log: log, failed: make(chan error, 1), jobs: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	listener, err := listen(ctx, cfg.Listen)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = listener.Close() // the first error says what matters
		}
	}()
	r.cfg = cfg.Bound(listener.Addr().String())
	if err := d.folder.Lock("serving " + r.cfg.URL); err != nil {
		return nil, err
	}
	blobs, err := openBlobs(ctx, d, log)
	if err != nil {
		return nil, err
	}
	r.server, err = server.New(ctx, server.Parts{Config: r.cfg, DB: d.db, Blobs: blobs, Log: log, Now: time.Now, Version: version()})
	if err != nil {
		return nil, err
	}
	r.serve(ctx, listener)
	return r, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is in use: stop the program that has it, or choose another with --listen HOST:PORT", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("the address %s may not be used by this user: ports below 1024 need rights; choose another with --listen HOST:PORT", address)
	case err != nil:
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

func openBlobs(ctx context.Context, d *data, log *slog.Logger) (*blob.Folder, error) {
	blobs, err := d.blobs()
	if err != nil {
		return nil, err
	}
	unfinished, err := blobs.Recover(ctx)
	if err != nil {
		return nil, fmt.Errorf("take up what the last run left: %w", err)
	}
	if unfinished > 0 {
		log.LogAttrs(ctx, slog.LevelInfo, "removed what unfinished uploads left", slog.Int("files", unfinished))
	}
	return blobs, nil
}

func (r *running) serve(ctx context.Context, l net.Listener) {
	// A signal must not cut the uploads that it should let finish, so requests do not inherit its context.
	base := context.WithoutCancel(ctx)
	r.http = &http.Server{
		Handler: r.counted(r.server.Handler()), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
	jobs, cancel := context.WithCancel(base)
	r.endJobs = cancel
	go func() {
		defer close(r.jobs)
		r.server.Run(jobs)
	}()
	go func() { r.failed <- r.http.Serve(l) }()
}

// counted counts requests in and out, so that what they use is closed after them.
func (r *running) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.busy.Add(1)
		defer r.busy.Done()
		next.ServeHTTP(w, req)
	})
}

// greet tells where the server is, and on empty data how to get in.
func (r *running) greet(ctx context.Context, out io.Writer) error {
	r.log.LogAttrs(ctx, slog.LevelInfo, "serving", slog.String("url", r.cfg.URL), slog.String("listen", r.cfg.Listen),
		slog.String("audience", r.cfg.Audience()), slog.String("data", r.data.folder.Path()))
	link, err := r.server.Accounts.SetupLink(ctx)
	if err != nil {
		return err
	}
	if link.IsZero() {
		_, err = fmt.Fprintf(out, "Sluice serves %s\n", r.cfg.URL)
		return err
	}
	_, err = fmt.Fprintf(out, `Sluice serves %s

There is no account yet. Open this link to make the first one; it works once, and a restart makes a new one:

  %s/setup?secret=%s

`, r.cfg.URL, r.cfg.URL, link.Reveal())
	return err
}

// wait serves until ctx ends or the listener fails, then stops.
func (r *running) wait(ctx context.Context) error {
	select {
	case err := <-r.failed:
		return errors.Join(err, r.stop())
	case <-ctx.Done():
		r.log.LogAttrs(ctx, slog.LevelInfo, "stopping; a second signal ends at once", slog.Any("cause", context.Cause(ctx)), slog.Duration("grace", r.cfg.ShutdownGrace))
		return r.stop()
	}
}

// stop takes no new requests, waits for those in flight until the grace is over, and closes everything in
// the reverse order of opening.
func (r *running) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.ShutdownGrace)
	defer cancel()
	err := r.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		r.log.LogAttrs(ctx, slog.LevelWarn, "requests were cut: they did not end within the grace", slog.Duration("grace", r.cfg.ShutdownGrace))
		err = r.http.Close()
		r.clear()
	}
	r.endJobs()
	<-r.jobs
	return errors.Join(err, r.data.Close())
}

// clearTime is how long requests whose connections were cut may take to clear away what they staged.
const clearTime = 10 * time.Second

// clear waits for them. A commit that has begun goes to its end.
func (r *running) clear() {
	done := make(chan struct{})
	go func() { defer close(done); r.busy.Wait() }()
	select {
	case <-done:
	case <-time.After(clearTime):
		r.log.Warn("requests are still at work: the next start takes up what they leave")
	}
}
