package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sluice/internal/conda/repodata"
	"sluice/internal/fault"
	"sluice/internal/index"
)

// Generation implements index.Store.
func (db *DB) Generation(ctx context.Context, p index.Place) (index.Generation, bool, error) {
	return generation(ctx, db.reader, p, "")
}

func generation(ctx context.Context, q queryer, p index.Place, lock string) (index.Generation, bool, error) {
	var g index.Generation
	var chain []byte
	err := q.QueryRowContext(ctx, `SELECT number, chain, committed_us FROM generation WHERE channel_id = $1 AND label = $2 AND subdir = $3`+lock,
		p.ChannelID, p.Label.String(), p.Subdir.String()).Scan(&g.Number, &chain, when{&g.CommittedAt})
	if errors.Is(err, sql.ErrNoRows) {
		return g, false, nil
	} else if err != nil {
		return g, false, fmt.Errorf("generation: %w", err)
	}
	copy(g.Chain[:], chain)
	return g, true, nil
}

// Snapshot implements index.Store.
func (db *DB) Snapshot(ctx context.Context, p index.Place) (*index.Snapshot, bool, error) {
	s := &index.Snapshot{Place: p, Pieces: map[index.Series][]repodata.Piece{}}
	found := false
	err := db.read(ctx, func(tx *sql.Tx) (err error) {
		if s.Generation, found, err = generation(ctx, tx, p, ""); err != nil || !found {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT p.series, p.members, p.raw_len, b.bytes FROM piece p JOIN block b ON b.id = p.block_id
			WHERE p.channel_id = $1 AND p.label = $2 AND p.subdir = $3 ORDER BY p.series, p.first_key`, p.ChannelID, p.Label.String(), p.Subdir.String())
		if err != nil {
			return fmt.Errorf("pieces: %w", err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what matters
		for rows.Next() {
			var series index.Series
			var members int
			var piece repodata.Piece
			if err := rows.Scan(&series, &members, &piece.RawLen, &piece.Block); err != nil {
				return fmt.Errorf("pieces: %w", err)
			}
			if series == index.Shards {
				s.Names += members
			}
			s.Pieces[series] = append(s.Pieces[series], piece)
		}
		return rows.Err()
	})
	return s, found, err
}

// Shard implements index.Store.
func (db *DB) Shard(ctx context.Context, p index.Place, sum [32]byte) ([]byte, error) {
	var b []byte
	err := db.reader.QueryRowContext(ctx, `SELECT bytes FROM shard WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND sha256 = $4`,
		p.ChannelID, p.Label.String(), p.Subdir.String(), sum[:]).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "There is no shard %x here: fetch the shard index again.", sum)
	} else if err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	return b, nil
}
