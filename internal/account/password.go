package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"sluice/internal/fault"
)

// Bounds of a password, in characters and bytes. NIST SP 800-63B asks for at least 8 and for no
// rules about which characters; the upper bound keeps hashing cheap to refuse.
const (
	MinPassword = 10
	MaxPassword = 256
)

// The parameters of argon2id that new hashes are made with (RFC 9106, section 4, second choice: 64 MiB).
// They stand in each hash, so they may be raised without breaking older ones.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 2
	saltLen      = 16
	keyLen       = 32
)

// Passwords hashes and compares passwords, a bounded number at once: each takes 64 MiB, and an
// unbounded crowd at the sign-in page would take the server's memory.
type Passwords struct {
	slots chan struct{}
	dummy string
}

// NewPasswords allows atOnce hashes at a time.
func NewPasswords(atOnce int) *Passwords {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails
	return &Passwords{slots: make(chan struct{}, atOnce), dummy: encode(salt, make([]byte, keyLen))}
}

// Hash returns the argon2id hash of password in the PHC string format. Errors: fault.InvalidField for a
// password that is too short or too long; the context's error when it ends while waiting for a slot.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < MinPassword || len(password) > MaxPassword {
		return "", fault.New(fault.InvalidField, "A password has at least %d characters and at most %d bytes; this one has %d characters.", MinPassword, MaxPassword, n)
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails
	var key []byte
	err := p.inSlot(ctx, func() {
		key = argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, keyLen)
	})
	return encode(salt, key), err
}

// Matches reports whether password is the one of hashed. An empty hash never matches, after the same
// work, so that time does not tell which names exist.
func (p *Passwords) Matches(ctx context.Context, hashed, password string) (bool, error) {
	known := hashed != ""
	if !known {
		hashed = p.dummy
	}
	if len(password) > MaxPassword {
		password = password[:MaxPassword+1] // cannot match anything that Hash took
	}
	var memory, time uint32
	var threads uint8
	parts := strings.Split(hashed, "$")
	if len(parts) != 6 {
		return false, fmt.Errorf("stored password hash has %d parts", len(parts))
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return false, fmt.Errorf("stored password hash: %w", err)
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) == 0 {
		return false, fmt.Errorf("stored password hash cannot be decoded")
	}
	var got []byte
	err := p.inSlot(ctx, func() {
		got = argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(want)))
	})
	return err == nil && known && subtle.ConstantTimeCompare(got, want) == 1, err
}

func (p *Passwords) inSlot(ctx context.Context, work func()) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
		work()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func encode(salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, b64(salt), b64(key))
}
