package server_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/server"
	"sluice/internal/servertest"
)

// A server that starts tells of the ends that came near while none ran.
func TestOwnersAreToldOfEnds(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.clock.advance(395 * 24 * time.Hour)
		cfg := servertest.Config(t, w.URL, w.CI.URL(), w.Data)
		next, err := server.New(t.Context(), server.Parts{Config: cfg, DB: w.DB, Log: slog.New(slog.DiscardHandler), Now: w.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); next.Run(ctx) }()
		defer func() { end(); <-ended }()
		for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			events, err := w.DB.Events(t.Context(), audit.Query{ChannelID: w.forge.ID, Kinds: []audit.Kind{audit.PublisherExpiring}, Limit: 10})
			if err != nil || len(events) > 1 {
				t.Fatalf("%d events, %v", len(events), err)
			}
			if len(events) == 1 {
				return
			}
			if time.Now().After(limit) {
				t.Fatal("nobody was told")
			}
		}
	})
}
