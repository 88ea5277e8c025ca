package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/index"
)

// stated is the newest generation of a place; ok is false where nothing was ever listed.
type stated struct {
	index.Generation
	ok bool
}

// Generation implements index.Store.
func (db *DB) Generation(ctx context.Context, p index.Place) (index.Generation, bool, error) {
	s, err := db.generations.get(ctx, p, func(ctx context.Context) (s stated, err error) {
		s.Generation, s.ok, err = generation(ctx, db.reader, p, "")
		return s, err
	})
	return s.Generation, s.ok, err
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

// Pieces implements index.Store.
func (db *DB) Pieces(ctx context.Context, p index.Place, of []index.Series, after int64) (index.Listing, bool, error) {
	l := index.Listing{Totals: map[index.Series]index.Totals{}, Pieces: map[index.Series][]index.Piece{}}
	found := false
	err := db.read(ctx, func(tx *sql.Tx) (err error) {
		if l.Generation, found, err = generation(ctx, tx, p, ""); err != nil || !found {
			return err
		}
		if err := readTotals(ctx, tx, p, l.Totals); err != nil {
			return err
		}
		if after > 0 {
			return readWritten(ctx, tx, p, of, after, l.Pieces)
		}
		for _, s := range of {
			if err := readPieces(ctx, tx, p, s, l.Pieces); err != nil {
				return err
			}
		}
		return nil
	})
	return l, found, err
}

func readTotals(ctx context.Context, tx *sql.Tx, p index.Place, into map[index.Series]index.Totals) error {
	type sums struct {
		series index.Series
		totals index.Totals
	}
	rows, err := collect(ctx, tx, func(r *sql.Rows, s *sums) error {
		return r.Scan(&s.series, &s.totals.Pieces, &s.totals.Members, &s.totals.RawLen, &s.totals.BlockLen)
	}, `SELECT series, pieces, members, raw_len, block_len FROM series WHERE channel_id = $1 AND label = $2 AND subdir = $3`,
		p.ChannelID, p.Label.String(), p.Subdir.String())
	if err != nil {
		return fmt.Errorf("totals: %w", err)
	}
	for _, s := range rows {
		into[s.series] = s.totals
	}
	return nil
}

// pieceRow is a piece with the series it is of.
type pieceRow struct {
	series index.Series
	index.Piece
}

const pieceColumns = `series, first_key, generation, members, raw_len, block_len, block_id`

func scanPiece(r *sql.Rows, p *pieceRow) error {
	return r.Scan(&p.series, &p.First, &p.Generation, &p.Members, &p.RawLen, &p.BlockLen, &p.Block)
}

// readPieces reads all pieces of a series. It goes along the primary key.
func readPieces(ctx context.Context, tx *sql.Tx, p index.Place, s index.Series, into map[index.Series][]index.Piece) error {
	rows, err := collect(ctx, tx, scanPiece, `SELECT `+pieceColumns+` FROM piece
		WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4 ORDER BY first_key`, p.ChannelID, p.Label.String(), p.Subdir.String(), string(s))
	if err != nil {
		return fmt.Errorf("pieces: %w", err)
	}
	for _, r := range rows {
		into[s] = append(into[s], r.Piece)
	}
	return nil
}

// readWritten reads the pieces that were written after a generation, by the index that there is for it: the series
// stands in no condition, lest the database takes the primary key and reads all of them.
func readWritten(ctx context.Context, tx *sql.Tx, p index.Place, of []index.Series, after int64, into map[index.Series][]index.Piece) error {
	rows, err := collect(ctx, tx, scanPiece, `SELECT `+pieceColumns+` FROM piece
		WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND generation > $4`, p.ChannelID, p.Label.String(), p.Subdir.String(), after)
	if err != nil {
		return fmt.Errorf("pieces: %w", err)
	}
	slices.SortFunc(rows, func(a, b pieceRow) int { return strings.Compare(a.First, b.First) })
	for _, r := range rows {
		if slices.Contains(of, r.series) {
			into[r.series] = append(into[r.series], r.Piece)
		}
	}
	return nil
}

// Blocks implements index.Store.
func (db *DB) Blocks(ctx context.Context, numbers []int64) ([][]byte, error) {
	at := make(map[int64]int, len(numbers))
	args := make([]any, len(numbers))
	places := make([]string, len(numbers))
	for i, n := range numbers {
		at[n], args[i], places[i] = i, n, "$"+strconv.Itoa(i+1)
	}
	type block struct {
		id    int64
		bytes []byte
	}
	rows, err := collect(ctx, db.reader, func(r *sql.Rows, b *block) error { return r.Scan(&b.id, &b.bytes) },
		`SELECT id, bytes FROM block WHERE id IN (`+strings.Join(places, ", ")+`)`, args...)
	if err != nil {
		return nil, fmt.Errorf("blocks: %w", err)
	}
	if len(rows) < len(at) {
		return nil, fmt.Errorf("of the blocks %d only %d are there: a file is read for too long, or the database was damaged", numbers, len(rows))
	}
	out := make([][]byte, len(numbers))
	for _, b := range rows {
		out[at[b.id]] = b.bytes
	}
	return out, nil
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
