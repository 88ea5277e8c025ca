package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice/internal/check"
	"sluice/internal/fault"
)

// StartJob implements check.JobStore.
func (db *DB) StartJob(ctx context.Context, channelID int64, j check.Job, silentSince time.Time) (check.Job, error) {
	err := db.write(ctx, func(tx *sql.Tx) error {
		// The channel's row is locked, for of the job there may be none.
		var one int
		if err := tx.QueryRowContext(ctx, `SELECT 1 FROM channel WHERE id = $1`+db.forUpdate, channelID).Scan(&one); err != nil {
			return fmt.Errorf("start check: %w", err)
		}
		var number int64
		var beatAt, endedAt time.Time
		err := tx.QueryRowContext(ctx, `SELECT number, beat_us, ended_us FROM channel_check WHERE channel_id = $1`, channelID).Scan(&number, when{&beatAt}, when{&endedAt})
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("start check: %w", err)
		}
		if err == nil && endedAt.IsZero() && beatAt.After(silentSince) {
			return fault.New(fault.Conflict, "This channel is being checked already: wait for that to end.")
		}
		j.Number = number + 1
		_, err = tx.ExecContext(ctx, `INSERT INTO channel_check (channel_id, number, beat_us, state) VALUES ($1, $2, $3, $4)
			ON CONFLICT (channel_id) DO UPDATE SET number = excluded.number, beat_us = excluded.beat_us, ended_us = NULL, state = excluded.state`,
			channelID, j.Number, micros(j.BeatAt), text(j))
		if err != nil {
			return fmt.Errorf("start check: %w", err)
		}
		return nil
	})
	return j, err
}

// SaveJob implements check.JobStore.
func (db *DB) SaveJob(ctx context.Context, channelID int64, j check.Job) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE channel_check SET beat_us = $3, ended_us = $4, state = $5 WHERE channel_id = $1 AND number = $2`,
			channelID, j.Number, micros(j.BeatAt), micros(j.EndedAt), text(j))
		if err != nil {
			return fmt.Errorf("save check: %w", err)
		}
		return nil
	})
}

// LastJob implements check.JobStore.
func (db *DB) LastJob(ctx context.Context, channelID int64) (check.Job, error) {
	var j check.Job
	err := db.reader.QueryRowContext(ctx, `SELECT state FROM channel_check WHERE channel_id = $1`, channelID).Scan(jsonText{&j})
	if errors.Is(err, sql.ErrNoRows) {
		return j, fault.New(fault.NotFound, "This channel was not checked yet.")
	} else if err != nil {
		return j, fmt.Errorf("last check: %w", err)
	}
	return j, nil
}
