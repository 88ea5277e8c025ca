package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/token"
)

// CreateUser implements account.Store.
func (db *DB) CreateUser(ctx context.Context, u account.User, password string, setup token.Hash, e audit.Event) (account.User, error) {
	err := db.write(ctx, func(tx *sql.Tx) error {
		if setup != (token.Hash{}) {
			if err := consumeSetup(ctx, tx, setup); err != nil {
				return err
			}
		}
		err := tx.QueryRowContext(ctx, `INSERT INTO account (name, password, admin, created_us) VALUES ($1, $2, $3, $4) RETURNING id`,
			u.Name, password, bit(u.Admin), micros(u.CreatedAt)).Scan(&u.ID)
		if taken(err) {
			return fault.Wrap(err, fault.Conflict, "There is an account %s already: choose another name.", u.Name)
		} else if err != nil {
			return fmt.Errorf("create account: %w", err)
		}
		return db.appendEvent(ctx, tx, e)
	})
	return u, err
}

// consumeSetup takes the one-time link away: whoever deletes the row is the one who may go on.
func consumeSetup(ctx context.Context, tx *sql.Tx, h token.Hash) error {
	res, err := tx.ExecContext(ctx, `DELETE FROM setup_link WHERE hash = $1`, h[:])
	if err != nil {
		return fmt.Errorf("use setup link: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return fault.New(fault.InvalidToken, "This link is unknown or was used: restart the server to get a new one, or run: sluice admin user add NAME --admin")
	}
	has, err := hasUsers(ctx, tx)
	if err != nil {
		return err
	}
	if has {
		return fault.New(fault.Conflict, "This server has accounts already: sign in instead.")
	}
	return nil
}

const userColumns = `id, name, admin, created_us, disabled_us`

func scanUser(u *account.User) []any {
	return []any{&u.ID, &u.Name, &u.Admin, when{&u.CreatedAt}, when{&u.DisabledAt}}
}

// UserByName implements account.Store.
func (db *DB) UserByName(ctx context.Context, name string) (account.User, string, error) {
	var u account.User
	var password string
	err := db.reader.QueryRowContext(ctx, `SELECT `+userColumns+`, password FROM account WHERE name = $1`, name).
		Scan(append(scanUser(&u), &password)...)
	if errors.Is(err, sql.ErrNoRows) {
		return u, "", noAccount(name)
	} else if err != nil {
		return u, "", fmt.Errorf("account by name: %w", err)
	}
	return u, password, nil
}

// Users implements account.Store.
func (db *DB) Users(ctx context.Context) ([]account.User, error) {
	return collect(ctx, db.reader, func(r *sql.Rows, u *account.User) error { return r.Scan(scanUser(u)...) },
		`SELECT `+userColumns+` FROM account ORDER BY name`)
}

// SetPassword implements account.Store.
func (db *DB) SetPassword(ctx context.Context, name, password string, e audit.Event) error {
	return db.changeUser(ctx, name, `UPDATE account SET password = $2 WHERE name = $1 RETURNING id`, password, e)
}

// SetDisabled implements account.Store.
func (db *DB) SetDisabled(ctx context.Context, name string, at time.Time, e audit.Event) error {
	return db.changeUser(ctx, name, `UPDATE account SET disabled_us = $2 WHERE name = $1 RETURNING id`, micros(at), e)
}

// changeUser changes one column of an account and signs it out everywhere.
func (db *DB) changeUser(ctx context.Context, name, update string, value any, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var id int64
		err := tx.QueryRowContext(ctx, update, name, value).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return noAccount(name)
		} else if err != nil {
			return fmt.Errorf("change account: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE account_id = $1`, id); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return db.appendEvent(ctx, tx, e)
	})
}

func noAccount(name string) error {
	return fault.New(fault.NotFound, "There is no account %s here.", fault.OneLine(name, 60))
}

// HasUsers implements account.Store.
func (db *DB) HasUsers(ctx context.Context) (bool, error) { return hasUsers(ctx, db.reader) }

func hasUsers(ctx context.Context, q queryer) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM account LIMIT 1) AS one`).Scan(&n)
	return n > 0, err
}

// SaveSetup implements account.Store.
func (db *DB) SaveSetup(ctx context.Context, h token.Hash, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM setup_link`); err != nil {
			return fmt.Errorf("forget setup links: %w", err)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO setup_link (hash, created_us) VALUES ($1, $2)`, h[:], micros(at))
		return err
	})
}

// SetupAlive implements account.Store.
func (db *DB) SetupAlive(ctx context.Context, h token.Hash) (bool, error) {
	var n int
	err := db.reader.QueryRowContext(ctx, `SELECT count(*) FROM setup_link WHERE hash = $1 AND NOT EXISTS (SELECT 1 FROM account)`, h[:]).Scan(&n)
	return n > 0, err
}

// SaveSession implements account.Store.
func (db *DB) SaveSession(ctx context.Context, s account.Session, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO session (hash, account_id, created_us, expires_us) VALUES ($1, $2, $3, $4)`,
			s.Hash[:], s.UserID, micros(s.CreatedAt), micros(s.ExpiresAt))
		if err != nil {
			return fmt.Errorf("save session: %w", err)
		}
		return db.appendEvent(ctx, tx, e)
	})
}

// Session implements access.Sessions.
func (db *DB) Session(ctx context.Context, h token.Hash, now time.Time) (account.User, error) {
	var u account.User
	err := db.reader.QueryRowContext(ctx, `SELECT a.id, a.name, a.admin, a.created_us, a.disabled_us FROM session s JOIN account a ON a.id = s.account_id
		WHERE s.hash = $1 AND s.expires_us > $2 AND a.disabled_us IS NULL`, h[:], micros(now)).Scan(scanUser(&u)...)
	if errors.Is(err, sql.ErrNoRows) {
		return u, fault.New(fault.InvalidToken, "This session has ended: sign in again.")
	} else if err != nil {
		return u, fmt.Errorf("session: %w", err)
	}
	return u, nil
}

// EndSession implements account.Store.
func (db *DB) EndSession(ctx context.Context, h token.Hash) error {
	_, err := db.writer.ExecContext(ctx, `DELETE FROM session WHERE hash = $1`, h[:])
	return err
}

// CreateAPIToken implements account.TokenStore.
func (db *DB) CreateAPIToken(ctx context.Context, t account.APIToken, e audit.Event) (account.APIToken, error) {
	var channelID any
	if t.ChannelID != 0 {
		channelID = t.ChannelID
	}
	err := db.write(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO api_token (hash, hint, account_id, name, scopes, channel_id, created_us, expires_us)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
			t.Hash[:], t.Hint, t.UserID, t.Name, text(t.Scopes), channelID, micros(t.CreatedAt), micros(t.ExpiresAt)).Scan(&t.ID)
		if err != nil {
			return fmt.Errorf("create API token: %w", err)
		}
		return db.appendEvent(ctx, tx, e)
	})
	return t, err
}

const tokenColumns = `t.id, t.hash, t.hint, t.account_id, a.name, t.name, t.scopes, t.channel_id, c.name, t.created_us, t.expires_us, t.last_used_us, t.revoked_us, t.revoked_why`

const tokenTables = ` FROM api_token t JOIN account a ON a.id = t.account_id LEFT JOIN channel c ON c.id = t.channel_id `

type tokenRow struct {
	account.APIToken
	hash      []byte
	channelID sql.Null[int64]
	channel   sql.Null[string]
}

func (r *tokenRow) fields() []any {
	t := &r.APIToken
	return []any{&t.ID, &r.hash, &t.Hint, &t.UserID, &t.User, &t.Name, jsonText{&t.Scopes}, &r.channelID, &r.channel,
		when{&t.CreatedAt}, when{&t.ExpiresAt}, when{&t.LastUsedAt}, when{&t.RevokedAt}, &t.RevokedWhy}
}

func (r *tokenRow) token() account.APIToken {
	t := r.APIToken
	copy(t.Hash[:], r.hash)
	t.ChannelID, t.Channel = r.channelID.V, r.channel.V
	return t
}

// APIToken implements account.TokenStore.
func (db *DB) APIToken(ctx context.Context, h token.Hash) (account.APIToken, account.User, error) {
	var row tokenRow
	var u account.User
	err := db.reader.QueryRowContext(ctx, `SELECT `+tokenColumns+`, a.id, a.name, a.admin, a.created_us, a.disabled_us`+tokenTables+`WHERE t.hash = $1`, h[:]).
		Scan(append(row.fields(), scanUser(&u)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return account.APIToken{}, u, fault.New(fault.InvalidToken, "This API token is unknown here: it may belong to another server, or its account is gone.")
	} else if err != nil {
		return account.APIToken{}, u, fmt.Errorf("API token: %w", err)
	}
	return row.token(), u, nil
}

// APITokens implements account.TokenStore.
func (db *DB) APITokens(ctx context.Context, user int64) ([]account.APIToken, error) {
	return collect(ctx, db.reader, scanToken, `SELECT `+tokenColumns+tokenTables+`WHERE t.account_id = $1 ORDER BY t.id DESC`, user)
}

func scanToken(r *sql.Rows, t *account.APIToken) error {
	var row tokenRow
	err := r.Scan(row.fields()...)
	*t = row.token()
	return err
}

// UploadKeys implements access.Keys.
func (db *DB) UploadKeys(ctx context.Context, channelID int64, now time.Time) (n int, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT count(*) FROM api_token t JOIN account a ON a.id = t.account_id
		LEFT JOIN member m ON m.account_id = a.id AND m.channel_id = $1 `+uploadTokens+`
		AND NOT EXISTS (SELECT 1 FROM channel c WHERE c.id = $1 AND c.publisher_only = 1)`, channelID, micros(now)).Scan(&n)
	return n, err
}

// UploadTokens implements access.Keys.
func (db *DB) UploadTokens(ctx context.Context, channelID int64, now time.Time, limit int) ([]account.APIToken, error) {
	return collect(ctx, db.reader, scanToken, `SELECT `+tokenColumns+tokenTables+`
		LEFT JOIN member m ON m.account_id = a.id AND m.channel_id = $1 `+uploadTokens+` ORDER BY t.id DESC LIMIT $3`, channelID, micros(now), limit)
}

// uploadTokens are the live API tokens t whose accounts a, as members m, could publish to the channel $1 at $2.
const uploadTokens = `WHERE t.revoked_us IS NULL AND t.expires_us > $2 AND a.disabled_us IS NULL AND t.scopes LIKE '%"upload"%'
	AND (t.channel_id IS NULL OR t.channel_id = $1) AND (a.admin = 1 OR m.role IN ('owner', 'maintainer'))`

// RevokeAPIToken implements account.TokenStore.
func (db *DB) RevokeAPIToken(ctx context.Context, user, id int64, at time.Time, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var name string
		var revoked sql.Null[int64]
		err := tx.QueryRowContext(ctx, `SELECT name, revoked_us FROM api_token WHERE id = $1 AND account_id = $2`+db.forUpdate, id, user).Scan(&name, &revoked)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "This account has no API token %d.", id)
		} else if err != nil {
			return fmt.Errorf("revoke API token: %w", err)
		}
		if revoked.Valid {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE api_token SET revoked_us = $1 WHERE id = $2`, micros(at), id); err != nil {
			return fmt.Errorf("revoke API token: %w", err)
		}
		e.Subject = strings.TrimSuffix(e.Subject+"/"+name, "/")
		e.Sentence = "revoked the API token \"" + name + "\""
		return db.appendEvent(ctx, tx, e)
	})
}

// TouchAPIToken implements account.TokenStore.
func (db *DB) TouchAPIToken(ctx context.Context, id int64, at time.Time) error {
	_, err := db.writer.ExecContext(ctx, `UPDATE api_token SET last_used_us = $1 WHERE id = $2`, micros(at), id)
	return err
}
