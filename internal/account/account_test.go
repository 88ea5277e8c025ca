package account_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/token"
)

const password = "correct horse battery"

func newAccounts(t *testing.T) (*account.Accounts, *db.DB) {
	t.Helper()
	d, err := db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return &account.Accounts{Store: d, Tokens: d, Log: d, Now: time.Now, Passwords: account.NewPasswords(1)}, d
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "ann", "ann-2", strings.Repeat("a", 39)} {
		if err := account.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "Ann", "-ann", "ann-", "an n", "ann\n", "änn", strings.Repeat("a", 40), "a/b"} {
		if err := account.CheckName(name); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSignIn(t *testing.T) {
	a, d := newAccounts(t)
	if _, err := a.Create(t.Context(), audit.Actor{}, "ann", password, false, token.Token{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Create(t.Context(), audit.Actor{}, "robot", "", false, token.Token{}); err != nil {
		t.Fatal(err)
	}
	u, session, err := a.SignIn(t.Context(), "ann", password)
	if err != nil || u.Name != "ann" {
		t.Fatalf("= %+v, %v", u, err)
	}
	if got, err := d.Session(t.Context(), session.Hash(), time.Now()); err != nil || got.Name != "ann" {
		t.Errorf("session = %+v, %v", got, err)
	}
	var sentence string
	for _, tt := range [][2]string{
		{"ann", password + "x"}, {"ann", ""}, {"nobody", password}, {"robot", ""}, {"robot", password}, {"ann", strings.Repeat("x", 1<<20)},
	} {
		_, _, err := a.SignIn(t.Context(), tt[0], tt[1])
		if !fault.Is(err, fault.WrongCredentials) {
			t.Errorf("%s: %v", tt[0], err)
		}
		if sentence == "" {
			sentence = err.Error()
		}
		if err.Error() != sentence {
			t.Errorf("%s is told %q, others %q", tt[0], err, sentence)
		}
	}
	events, err := d.Events(t.Context(), audit.Query{Kinds: []audit.Kind{audit.SignInRefused}, Limit: 100})
	if err != nil || len(events) != 6 {
		t.Errorf("%d refusals are in the audit log, %v", len(events), err)
	}
}

func TestPasswordsHaveBounds(t *testing.T) {
	a, _ := newAccounts(t)
	for _, p := range []string{"short", strings.Repeat("é", 9), strings.Repeat("x", 257)} {
		if _, err := a.Create(t.Context(), audit.Actor{}, "ann", p, false, token.Token{}); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%d bytes: %v", len(p), err)
		}
	}
	waiting, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := account.NewPasswords(0).Hash(waiting, password); err == nil {
		t.Error("hashed without a slot")
	}
}

func TestSetupLinkIsForAnEmptyServer(t *testing.T) {
	a, _ := newAccounts(t)
	link, err := a.SetupLink(t.Context())
	if err != nil || link.IsZero() {
		t.Fatalf("= %v, %v", link, err)
	}
	if _, err := a.Create(t.Context(), audit.Actor{}, "eve", password, true, token.New(token.Setup)); !fault.Is(err, fault.InvalidToken) {
		t.Errorf("a guessed link: %v", err)
	}
	if _, err := a.Create(t.Context(), audit.Actor{}, "ann", "", true, link); !fault.Is(err, fault.InvalidField) {
		t.Errorf("no password: %v", err)
	}
	if _, err := a.Create(t.Context(), audit.Actor{}, "ann", password, true, link); err != nil {
		t.Errorf("the link: %v", err)
	}
	if _, err := a.Create(t.Context(), audit.Actor{}, "eve", password, true, link); !fault.Is(err, fault.InvalidToken) {
		t.Errorf("the link once more: %v", err)
	}
	if link, err = a.SetupLink(t.Context()); err != nil || !link.IsZero() {
		t.Errorf("a link on a server with accounts: %v, %v", link, err)
	}
}

func TestTokens(t *testing.T) {
	a, d := newAccounts(t)
	u, err := a.Create(t.Context(), audit.Actor{}, "ann", "", false, token.Token{})
	if err != nil {
		t.Fatal(err)
	}
	tok, kept, err := a.CreateToken(t.Context(), audit.Actor{}, u, account.NewToken{Name: " laptop ", Scopes: []account.Scope{account.Upload}})
	if err != nil || kept.Name != "laptop" || kept.Hint != tok.Hint() || kept.ExpiresAt.Sub(kept.CreatedAt) != account.DefaultTokenLife {
		t.Errorf("= %+v, %v", kept, err)
	}
	if got, owner, err := d.APIToken(t.Context(), tok.Hash()); err != nil || owner.Name != "ann" || !got.Has(account.Upload) || got.Has(account.Manage) {
		t.Errorf("stored = %+v of %+v, %v", got, owner, err)
	}
	for _, n := range []account.NewToken{
		{Name: ""}, {Name: "two\nlines"}, {Name: strings.Repeat("x", 81)}, {Name: "x", Life: account.MaxTokenLife + 1}, {Name: "x", Life: -time.Hour},
	} {
		if _, _, err := a.CreateToken(t.Context(), audit.Actor{}, u, n); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%+v: %v", n, err)
		}
	}
	if err := a.RevokeToken(t.Context(), audit.Actor{}, u, kept.ID+1); !fault.Is(err, fault.NotFound) {
		t.Errorf("revoke another: %v", err)
	}
}

func TestParseScopes(t *testing.T) {
	for in, want := range map[string]string{"": "read", "upload": "upload", "upload,read": "read upload", " manage  upload upload": "manage upload"} {
		got, err := account.ParseScopes(in)
		var words []string
		for _, s := range got {
			words = append(words, string(s))
		}
		if err != nil || strings.Join(words, " ") != want {
			t.Errorf("%q = %q, %v", in, words, err)
		}
	}
	if _, err := account.ParseScopes("read,everything"); !fault.Is(err, fault.InvalidField) {
		t.Errorf("an unknown scope: %v", err)
	}
}

func TestANewPasswordAndAShutAccountEndSessions(t *testing.T) {
	a, d := newAccounts(t)
	if _, err := a.Create(t.Context(), audit.Actor{}, "ann", password, false, token.Token{}); err != nil {
		t.Fatal(err)
	}
	signIn := func(password string) (token.Token, error) {
		_, session, err := a.SignIn(t.Context(), "ann", password)
		return session, err
	}
	alive := func(s token.Token) bool {
		_, err := d.Session(t.Context(), s.Hash(), time.Now())
		return err == nil
	}
	session, err := signIn(password)
	if err != nil || !alive(session) {
		t.Fatal("cannot sign in", err)
	}
	if err := a.SetPassword(t.Context(), audit.Actor{}, "ann", "another "+password); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(password); alive(session) || !fault.Is(err, fault.WrongCredentials) {
		t.Errorf("after a new password: session alive %v, old password %v", alive(session), err)
	}
	if session, err = signIn("another " + password); err != nil {
		t.Fatal(err)
	}
	if err := a.SetDisabled(t.Context(), audit.Actor{}, "ann", true); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn("another " + password); alive(session) || !fault.Is(err, fault.WrongCredentials) {
		t.Errorf("after shutting: session alive %v, password %v", alive(session), err)
	}
	if err := a.SetDisabled(t.Context(), audit.Actor{}, "ann", false); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn("another " + password); err != nil || alive(session) {
		t.Errorf("after opening again: %v, old session alive %v", err, alive(session))
	}
	for _, err := range []error{a.SetPassword(t.Context(), audit.Actor{}, "eve", password), a.SetDisabled(t.Context(), audit.Actor{}, "eve", true)} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("an account that is not there: %v", err)
		}
	}
}
