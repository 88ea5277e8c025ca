package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"sluice/internal/access"
	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// CreateChannel implements channel.Store.
func (db *DB) CreateChannel(ctx context.Context, c channel.Channel, owner int64, e audit.Event) (channel.Channel, error) {
	c.Attestations = policy.Default()
	err := db.write(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO channel (name, visibility, description, created_us, created_by) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			c.Name.String(), string(c.Visibility), c.Description, micros(c.CreatedAt), c.CreatedBy).Scan(&c.ID)
		if taken(err) {
			return fault.Wrap(err, fault.Conflict, "The channel name %s is taken: choose another.", c.Name)
		} else if err != nil {
			return fmt.Errorf("create channel: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO member (channel_id, account_id, role) VALUES ($1, $2, $3)`, c.ID, owner, string(channel.Owner)); err != nil {
			return fmt.Errorf("create channel: %w", err)
		}
		e.ChannelID = c.ID
		return db.appendEvent(ctx, tx, e)
	})
	return c, err
}

// ChangeChannel implements channel.Store.
func (db *DB) ChangeChannel(ctx context.Context, before, after channel.Channel, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		row := newChannelRow()
		err := tx.QueryRowContext(ctx, `SELECT `+channelColumns+` FROM channel c WHERE c.id = $1`+db.forUpdate, before.ID).Scan(row.fields()...)
		if errors.Is(err, sql.ErrNoRows) {
			return access.NoChannel(before.Name.String())
		} else if err != nil {
			return fmt.Errorf("change channel: %w", err)
		}
		if row.Visibility != before.Visibility || row.Description != before.Description || row.PublisherOnly != before.PublisherOnly ||
			row.Replaceable != before.Replaceable || row.RefuseV3 != before.RefuseV3 || text(row.Attestations) != text(before.Attestations) {
			return fault.New(fault.Conflict, "Channel %s was changed meanwhile: look at it again.", before.Name)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE channel SET visibility = $2, description = $3, publisher_only = $4, replaceable = $5, refuse_v3 = $6, attestations = $7 WHERE id = $1`,
			after.ID, string(after.Visibility), after.Description, bit(after.PublisherOnly), bit(after.Replaceable), bit(after.RefuseV3), text(after.Attestations)); err != nil {
			return fmt.Errorf("change channel: %w", err)
		}
		return db.appendEvent(ctx, tx, e)
	})
}

const channelColumns = `c.id, c.name, c.visibility, c.description, c.publisher_only, c.replaceable, c.refuse_v3, c.attestations, c.created_us, c.created_by`

type channelRow struct {
	channel.Channel
	name string
}

// newChannelRow is a row to scan into: what it says of attestations lies over the usual.
func newChannelRow() channelRow {
	return channelRow{Channel: channel.Channel{Attestations: policy.Default()}}
}

func (r *channelRow) fields() []any {
	return []any{&r.ID, &r.name, &r.Visibility, &r.Description, &r.PublisherOnly, &r.Replaceable, &r.RefuseV3, jsonText{&r.Attestations}, when{&r.CreatedAt}, &r.CreatedBy}
}

func (r *channelRow) channel() (c channel.Channel, err error) {
	c = r.Channel
	c.Name, err = conda.ParseChannel(r.name)
	return c, err
}

// ChannelByName implements channel.Store.
func (db *DB) ChannelByName(ctx context.Context, name conda.Channel) (channel.Channel, error) {
	return db.channels.get(ctx, name, func(ctx context.Context) (channel.Channel, error) { return db.channelByName(ctx, name) })
}

func (db *DB) channelByName(ctx context.Context, name conda.Channel) (channel.Channel, error) {
	row := newChannelRow()
	err := db.reader.QueryRowContext(ctx, `SELECT `+channelColumns+` FROM channel c WHERE c.name = $1`, name.String()).Scan(row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return channel.Channel{}, access.NoChannel(name.String())
	} else if err != nil {
		return channel.Channel{}, fmt.Errorf("channel by name: %w", err)
	}
	return row.channel()
}

// Channels implements channel.Store.
func (db *DB) Channels(ctx context.Context, account int64, everything bool) ([]channel.Channel, error) {
	return collect(ctx, db.reader, func(r *sql.Rows, c *channel.Channel) error {
		row := newChannelRow()
		if err := r.Scan(row.fields()...); err != nil {
			return err
		}
		var err error
		*c, err = row.channel()
		return err
	}, `SELECT `+channelColumns+` FROM channel c WHERE $1 = 1 OR c.visibility = 'public'
		OR EXISTS (SELECT 1 FROM member m WHERE m.channel_id = c.id AND m.account_id = $2) ORDER BY c.name`, bit(everything), account)
}

// Role implements channel.Store.
func (db *DB) Role(ctx context.Context, channelID, account int64) (channel.Role, error) {
	return role(ctx, db.reader, channelID, account)
}

func role(ctx context.Context, q queryer, channelID, account int64) (channel.Role, error) {
	var r channel.Role
	err := q.QueryRowContext(ctx, `SELECT role FROM member WHERE channel_id = $1 AND account_id = $2`, channelID, account).Scan(&r)
	if errors.Is(err, sql.ErrNoRows) {
		return channel.None, nil
	}
	return r, err
}

// Roles implements channel.Store.
func (db *DB) Roles(ctx context.Context, account int64) (map[int64]channel.Role, error) {
	type row struct {
		id   int64
		role channel.Role
	}
	rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error { return r.Scan(&v.id, &v.role) },
		`SELECT channel_id, role FROM member WHERE account_id = $1`, account)
	roles := make(map[int64]channel.Role, len(rows))
	for _, v := range rows {
		roles[v.id] = v.role
	}
	return roles, err
}

// Members implements channel.Store.
func (db *DB) Members(ctx context.Context, channelID int64) ([]channel.Member, error) {
	return collect(ctx, db.reader, func(r *sql.Rows, m *channel.Member) error { return r.Scan(&m.AccountID, &m.Name, &m.Role) },
		`SELECT m.account_id, a.name, m.role FROM member m JOIN account a ON a.id = m.account_id WHERE m.channel_id = $1 ORDER BY a.name`, channelID)
}

// SetMember implements channel.Store.
func (db *DB) SetMember(ctx context.Context, channelID int64, name string, r channel.Role, e audit.Event) error {
	return db.changeMember(ctx, channelID, name, &e, func(tx *sql.Tx, account int64) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO member (channel_id, account_id, role) VALUES ($1, $2, $3)
			ON CONFLICT (channel_id, account_id) DO UPDATE SET role = excluded.role`, channelID, account, string(r))
		return err
	})
}

// RemoveMember implements channel.Store. The publishers that somebody made stay when they go, so the event names them.
func (db *DB) RemoveMember(ctx context.Context, channelID int64, name string, e audit.Event) error {
	said := e.Sentence // a transaction that runs again begins with it
	return db.changeMember(ctx, channelID, name, &e, func(tx *sql.Tx, account int64) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM member WHERE channel_id = $1 AND account_id = $2`, channelID, account)
		if err != nil {
			return err
		}
		if err := oneRow(res, err, fault.New(fault.NotFound, "%s is not a member of this channel.", name)); err != nil {
			return err
		}
		left, err := collect(ctx, tx, func(r *sql.Rows, id *string) error { return r.Scan(id) },
			`SELECT CAST(id AS TEXT) FROM publisher WHERE channel_id = $1 AND created_by = $2 AND removed_us IS NULL ORDER BY id`, channelID, name)
		if e.Sentence = said; len(left) > 0 {
			e.Sentence = said + ", who added the trusted publishers " + strings.Join(left, ", ") + ": look whether they should stay"
		}
		return err
	})
}

// changeMember runs change for the named account, and undoes it when no owner would be left. The channel's
// row is locked, so that two owners cannot leave at once.
func (db *DB) changeMember(ctx context.Context, channelID int64, name string, e *audit.Event, change func(tx *sql.Tx, account int64) error) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var id int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM channel WHERE id = $1`+db.forUpdate, channelID).Scan(&id); err != nil {
			return fmt.Errorf("lock channel: %w", err)
		}
		err := tx.QueryRowContext(ctx, `SELECT id FROM account WHERE name = $1`, name).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return noAccount(name)
		} else if err != nil {
			return fmt.Errorf("account of member: %w", err)
		}
		if err := change(tx, id); err != nil {
			return err
		}
		var owners int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM member WHERE channel_id = $1 AND role = 'owner'`, channelID).Scan(&owners); err != nil {
			return fmt.Errorf("count owners: %w", err)
		}
		if owners == 0 {
			return fault.New(fault.Conflict, "This would leave the channel without an owner: make somebody else an owner first.")
		}
		return db.appendEvent(ctx, tx, *e)
	})
}
