package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/config"
	"sluice/internal/datadir"
	"sluice/internal/db"
)

// data is the opened data of a server: its folder, and its database in it or elsewhere.
type data struct {
	folder *datadir.Folder
	db     *db.DB
	remote bool // the database is not in the folder
}

// databaseFile is SQLite's file in the data folder.
const databaseFile = "sluice.db"

func openData(ctx context.Context, cfg config.Config, opts ...db.Option) (*data, error) {
	folder, err := datadir.Open(cfg.Data)
	if err != nil {
		return nil, err
	}
	d := &data{folder: folder, remote: cfg.DB.Reveal() != ""}
	if d.remote {
		d.db, err = db.OpenPostgres(ctx, cfg.DB.Reveal(), time.Now, opts...)
	} else {
		d.db, err = db.OpenSQLite(ctx, filepath.Join(folder.Path(), databaseFile), time.Now, opts...)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return d, nil
}

// openData opens what the flags name.
func (f configFlags) openData(ctx context.Context) (*data, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return openData(ctx, cfg)
}

// blobs is where the packages lie.
func (d *data) blobs() (*blob.Folder, error) {
	return blob.NewFolder(d.folder.Root(), d.db.Referenced)
}

// channel finds a channel by its name.
func (d *data) channel(ctx context.Context, name string) (channel.Channel, error) {
	n, err := conda.ParseChannel(name)
	if err != nil {
		return channel.Channel{}, err
	}
	return d.db.ChannelByName(ctx, n)
}

// place says where accounts and channels are kept.
func (d *data) place() string {
	if d.remote {
		return "the PostgreSQL database"
	}
	return d.folder.Path()
}

// Close closes both.
func (d *data) Close() error { return errors.Join(d.db.Close(), d.folder.Close()) }

func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// parseLife takes a time span as people write it: 90d, or what time.ParseDuration takes.
func parseLife(s string) (time.Duration, error) {
	var days int
	if n, err := fmt.Sscanf(s, "%dd", &days); n == 1 && err == nil && s == fmt.Sprintf("%dd", days) {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time span: write 90d or 12h", s)
	}
	return d, nil
}
