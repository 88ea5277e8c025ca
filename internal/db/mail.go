package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice/internal/audit"
	"sluice/internal/mail"
	"sluice/internal/mail/address"
)

// MailAddress implements account.AddressStore.
func (db *DB) MailAddress(ctx context.Context, name string) (address.Address, error) {
	var kept string
	err := db.reader.QueryRowContext(ctx, `SELECT mail FROM account WHERE name = $1`, name).Scan(&kept)
	if errors.Is(err, sql.ErrNoRows) {
		return address.Address{}, noAccount(name)
	} else if err != nil {
		return address.Address{}, fmt.Errorf("mail address: %w", err)
	}
	return parseAddress(kept)
}

func parseAddress(kept string) (address.Address, error) {
	if kept == "" {
		return address.Address{}, nil
	}
	return address.Parse(kept)
}

// SetMailAddress implements account.AddressStore.
func (db *DB) SetMailAddress(ctx context.Context, name string, a address.Address, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var id int64
		var had string
		err := tx.QueryRowContext(ctx, `SELECT id, mail FROM account WHERE name = $1`+db.forUpdate, name).Scan(&id, &had)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return noAccount(name)
		case err != nil:
			return fmt.Errorf("mail address: %w", err)
		case had == a.Reveal():
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE account SET mail = $2 WHERE id = $1`, id, a.Reveal()); err != nil {
			return fmt.Errorf("set mail address: %w", err)
		}
		if a.IsZero() {
			if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE account_id = $1 AND sent_us IS NULL`, id); err != nil {
				return fmt.Errorf("forget mails: %w", err)
			}
		}
		return db.appendEvent(ctx, tx, e)
	})
}

// tell puts an event that was just written into the outbox of those who are told of it and have an address.
func (db *DB) tell(ctx context.Context, tx *sql.Tx, e audit.Event) error {
	for _, t := range mail.Tell(e) {
		if err := tellReaders(ctx, tx, t, e); err != nil {
			return fmt.Errorf("tell an event: %w", err)
		}
	}
	return nil
}

func tellReaders(ctx context.Context, tx *sql.Tx, t mail.Telling, e audit.Event) error {
	var once any
	if t.Once != "" {
		once = t.Once
		// What was told long enough ago may be told again.
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET once = NULL WHERE once = $1 AND created_us <= $2`, once, micros(e.At.Add(-mail.OnceIn)))
		if err != nil {
			return err
		}
	}
	const insert = `INSERT INTO outbox (account_id, channel_id, event_id, once, created_us, next_us, tries, claim, error) SELECT a.id, `
	const values = `, CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($4 AS BIGINT), 0, '', '' FROM account a `
	const able = ` AND a.mail <> '' AND a.disabled_us IS NULL ON CONFLICT DO NOTHING`
	query, who := insert+`m.channel_id`+values+`JOIN member m ON m.account_id = a.id WHERE m.channel_id = $1 AND m.role = 'owner'`+able, any(e.ChannelID)
	if t.To == mail.Account {
		query, who = insert+`NULL`+values+`WHERE a.name = $1`+able, t.Account
	}
	_, err := tx.ExecContext(ctx, query, who, e.ID, once, micros(e.At))
	return err
}

// mayStillKnow says of a row of outbox o that its account is to be told.
const mayStillKnow = `EXISTS (SELECT 1 FROM account a WHERE a.id = o.account_id AND a.mail <> '' AND a.disabled_us IS NULL
	AND (o.channel_id IS NULL OR EXISTS (SELECT 1 FROM member m WHERE m.channel_id = o.channel_id AND m.account_id = a.id AND m.role = 'owner')))`

// ClaimLetter implements mail.Outbox. Two servers that claim at once both update the same rows: the second one
// waits for the first, and then finds that they are not due any more.
func (db *DB) ClaimLetter(ctx context.Context, until time.Time) (l mail.Letter, ok bool, err error) {
	now := micros(db.now())
	var waiting int
	err = db.reader.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM outbox WHERE sent_us IS NULL AND next_us <= $1 LIMIT 1) AS one`, now).Scan(&waiting)
	if err != nil || waiting == 0 {
		return l, false, err
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		l, ok = mail.Letter{Claim: rand.Text()}, false
		_, err := tx.ExecContext(ctx, `DELETE FROM outbox AS o WHERE o.sent_us IS NULL AND o.next_us <= $1 AND NOT `+mayStillKnow, now)
		if err != nil {
			return fmt.Errorf("forget mails: %w", err)
		}
		account, err := db.nextToTell(ctx, tx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return fmt.Errorf("mails that are due: %w", err)
		}
		res, err := tx.ExecContext(ctx, `UPDATE outbox SET claim = $1, next_us = $2, tries = tries + 1 WHERE account_id = $3 AND sent_us IS NULL AND next_us <= $4`,
			l.Claim, micros(until), account, now)
		if err != nil {
			return fmt.Errorf("claim mails: %w", err)
		}
		n, err := res.RowsAffected()
		if ok = n > 0; err != nil || !ok {
			return err
		}
		l.More = int(n)
		return readLetter(ctx, tx, account, &l)
	})
	return l, ok, err
}

// nextToTell is the account that waits longest of those that may be told something now.
func (db *DB) nextToTell(ctx context.Context, tx *sql.Tx) (id int64, err error) {
	now := db.now()
	err = tx.QueryRowContext(ctx, `SELECT o.account_id FROM outbox o WHERE o.sent_us IS NULL AND o.next_us <= $1
		AND (SELECT count(DISTINCT s.claim) FROM outbox s WHERE s.account_id = o.account_id AND s.sent_us > $2) < $3
		ORDER BY o.next_us, o.id LIMIT 1`, micros(now), micros(now.Add(-time.Hour)), mail.MaxPerHour).Scan(&id)
	return id, err
}

// readLetter fills in what was claimed. l.More is how many events that are.
func readLetter(ctx context.Context, tx *sql.Tx, account int64, l *mail.Letter) error {
	var to string
	err := tx.QueryRowContext(ctx, `SELECT a.name, a.mail, (SELECT max(o.tries) FROM outbox o WHERE o.claim = $2) - 1 FROM account a WHERE a.id = $1`,
		account, l.Claim).Scan(&l.Account, &to, &l.Tries)
	if err != nil {
		return fmt.Errorf("account of a mail: %w", err)
	}
	if l.To, err = parseAddress(to); err != nil {
		return fmt.Errorf("address of a mail: %w", err)
	}
	l.Events, err = collect(ctx, tx, scanEvent, `SELECT `+eventColumns+` FROM outbox o JOIN event e ON e.id = o.event_id WHERE o.claim = $1 ORDER BY o.id LIMIT $2`,
		l.Claim, mail.MaxEntries)
	if err != nil {
		return fmt.Errorf("events of a mail: %w", err)
	}
	l.More -= len(l.Events)
	return nil
}

// LetterSent implements mail.Outbox.
func (db *DB) LetterSent(ctx context.Context, claim string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET sent_us = $2 WHERE claim = $1 AND sent_us IS NULL`, claim, micros(db.now()))
		return err
	})
}

// LetterFailed implements mail.Outbox.
func (db *DB) LetterFailed(ctx context.Context, claim, why string, next time.Time) (forgotten int64, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE claim = $1 AND sent_us IS NULL AND created_us <= $2`, claim, micros(db.now().Add(-mail.GiveUp)))
		if err != nil {
			return fmt.Errorf("give mails up: %w", err)
		}
		if forgotten, err = res.RowsAffected(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE outbox SET next_us = $2, error = $3 WHERE claim = $1 AND sent_us IS NULL`, claim, micros(next), why)
		return err
	})
	return forgotten, err
}
