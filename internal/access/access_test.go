package access_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// world is two channels, a public one and a private one, with an owner, a maintainer and a reader each, and
// people who are nothing there.
type world struct {
	*access.Access
	db         *db.DB
	accounts   *account.Accounts
	open, shut channel.Channel
	users      map[string]account.User
	now        time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{users: map[string]account.User{}, now: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	d, err := db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	w.db = d
	w.Access = &access.Access{Roles: d, Sessions: d, API: d, Publishes: d, Now: clock}
	w.accounts = &account.Accounts{Store: d, Tokens: d, Log: d, Now: clock, Passwords: account.NewPasswords(1)}
	for _, name := range []string{"owner", "maintainer", "reader", "stranger", "admin"} {
		u, err := w.accounts.Create(t.Context(), audit.Actor{}, name, "", name == "admin", token.Token{})
		if err != nil {
			t.Fatal(err)
		}
		w.users[name] = u
	}
	channels := &channel.Channels{Store: d, Now: clock}
	for name, v := range map[string]channel.Visibility{"open": channel.Public, "shut": channel.Private} {
		ch, err := channels.Create(t.Context(), audit.Actor{}, w.users["owner"].ID, name, v, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []channel.Role{channel.Maintainer, channel.Reader} {
			if err := channels.SetMember(t.Context(), audit.Actor{}, ch, string(r), r); err != nil {
				t.Fatal(err)
			}
		}
		if name == "open" {
			w.open = ch
		} else {
			w.shut = ch
		}
	}
	return w
}

// bearer is a new API token of the user, limited to a channel unless it is nil.
func (w *world) bearer(t *testing.T, user string, limit *channel.Channel, scopes ...account.Scope) string {
	t.Helper()
	n := account.NewToken{Name: "test", Scopes: scopes}
	if limit != nil {
		n.ChannelID, n.Channel = limit.ID, limit.Name.String()
	}
	tok, _, err := w.accounts.CreateToken(t.Context(), audit.Actor{}, w.users[user], n)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Reveal()
}

func (w *world) principal(t *testing.T, bearer string) access.Principal {
	t.Helper()
	p, err := w.Bearer(t.Context(), bearer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publisher is the principal of a CI run whose token covers the open channel, names that begin with tide.
func (w *world) publisher(t *testing.T) access.Principal {
	t.Helper()
	pattern, err := conda.ParsePattern("tide*")
	if err != nil {
		t.Fatal(err)
	}
	return access.Principal{Publish: &trust.PublishToken{
		ID: 1, CreatedAt: w.now, ExpiresAt: w.now.Add(time.Minute), Run: trust.Provenance{Repository: "acme/forge"},
		Grants: []trust.Grant{{PublisherID: 1, ChannelID: w.open.ID, Channel: w.open.Name, Right: trust.Publish, Packages: []conda.Pattern{pattern}}},
	}}
}

const allowed fault.Code = ""

func code(err error) fault.Code {
	if err == nil {
		return allowed
	}
	return fault.CodeOf(err)
}

func TestDecisions(t *testing.T) {
	w := newWorld(t)
	all := []account.Scope{account.Read, account.Upload, account.Manage}
	api := func(user string, limit *channel.Channel, scopes ...account.Scope) access.Principal {
		return w.principal(t, w.bearer(t, user, limit, scopes...))
	}
	session := func(user string) access.Principal { return access.Principal{User: new(w.users[user])} }
	const (
		unknown, no, missing, other = fault.Unauthenticated, fault.NotPermitted, fault.NotFound, fault.WrongChannel
	)
	for _, tt := range []struct {
		name string
		p    access.Principal
		// what each decision answers, in the open channel and in the private one: read, upload, manage, audit
		open, shut [4]fault.Code
	}{
		{"nobody", access.Principal{}, [4]fault.Code{allowed, unknown, unknown, unknown}, [4]fault.Code{unknown, unknown, missing, missing}},
		{"owner", api("owner", nil, all...), [4]fault.Code{}, [4]fault.Code{}},
		{"owner's session", session("owner"), [4]fault.Code{allowed, no, allowed, allowed}, [4]fault.Code{allowed, no, allowed, allowed}},
		{"owner, read only", api("owner", nil, account.Read), [4]fault.Code{allowed, no, no, no}, [4]fault.Code{allowed, no, no, no}},
		{"owner, upload only", api("owner", nil, account.Upload), [4]fault.Code{allowed, allowed, no, no}, [4]fault.Code{no, allowed, no, no}},
		{"owner, for the open channel", api("owner", &w.open, all...), [4]fault.Code{}, [4]fault.Code{no, no, no, no}},
		{"maintainer", api("maintainer", nil, all...), [4]fault.Code{allowed, allowed, no, allowed}, [4]fault.Code{allowed, allowed, no, allowed}},
		{"reader", api("reader", nil, all...), [4]fault.Code{allowed, no, no, no}, [4]fault.Code{allowed, no, no, no}},
		{"stranger", api("stranger", nil, all...), [4]fault.Code{allowed, no, no, no}, [4]fault.Code{no, no, no, no}},
		{"administrator", api("admin", nil, all...), [4]fault.Code{}, [4]fault.Code{}},
		{"CI run", w.publisher(t), [4]fault.Code{allowed, allowed, no, no}, [4]fault.Code{missing, other, no, no}},
	} {
		for _, at := range []struct {
			ch   channel.Channel
			want [4]fault.Code
		}{{w.open, tt.open}, {w.shut, tt.shut}} {
			_, upload := w.MayUpload(t.Context(), tt.p, at.ch)
			got := [4]fault.Code{
				code(w.MayRead(t.Context(), tt.p, at.ch)), code(upload),
				code(w.MayManage(t.Context(), tt.p, at.ch)), code(w.MayAudit(t.Context(), tt.p, at.ch)),
			}
			if got != at.want {
				t.Errorf("%s in %s: read, upload, manage, audit = %q, want %q", tt.name, at.ch.Name, got, at.want)
			}
		}
	}
}

func TestOwnAccountAndServer(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name             string
		p                access.Principal
		self, administer fault.Code
	}{
		{"nobody", access.Principal{}, fault.Unauthenticated, fault.Unauthenticated},
		{"stranger", w.principal(t, w.bearer(t, "stranger", nil, account.Manage)), allowed, fault.NotPermitted},
		{"stranger, read only", w.principal(t, w.bearer(t, "stranger", nil, account.Read)), fault.NotPermitted, fault.NotPermitted},
		{"admin", w.principal(t, w.bearer(t, "admin", nil, account.Manage)), allowed, allowed},
		{"admin, read only", w.principal(t, w.bearer(t, "admin", nil, account.Read)), fault.NotPermitted, fault.NotPermitted},
		{"admin, for a channel", w.principal(t, w.bearer(t, "admin", &w.open, account.Manage)), fault.NotPermitted, fault.NotPermitted},
		{"CI run", w.publisher(t), fault.NotPermitted, fault.NotPermitted},
	} {
		if got := code(w.MaySelf(tt.p)); got != tt.self {
			t.Errorf("%s: self = %q, want %q", tt.name, got, tt.self)
		}
		if got := code(w.MayAdminister(tt.p)); got != tt.administer {
			t.Errorf("%s: administer = %q, want %q", tt.name, got, tt.administer)
		}
	}
}

func TestCredentialsThatAreNotTaken(t *testing.T) {
	w := newWorld(t)
	live := w.bearer(t, "owner", nil, account.Upload)
	revoked := w.bearer(t, "owner", nil, account.Upload)
	tokens, err := w.db.APITokens(t.Context(), w.users["owner"].ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.accounts.RevokeToken(t.Context(), audit.Actor{}, w.users["owner"], tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	session, err := w.accounts.OpenSession(t.Context(), w.users["owner"])
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, bearer string
		code         fault.Code
		says         string
	}{
		{"garbage", "eyJhbGciOiJSUzI1NiJ9.e30.x", fault.InvalidToken, "id-token: write"},
		{"a typo", live[:len(live)-1] + "-", fault.InvalidToken, "letters and digits"},
		{"of another server", token.New(token.API).Reveal(), fault.InvalidToken, "unknown here"},
		{"a publish token of another server", token.New(token.Publish).Reveal(), fault.InvalidToken, "unknown here"},
		{"revoked", revoked, fault.Revoked, "was revoked on"},
		{"a session as bearer", session.Reveal(), fault.InvalidToken, "not taken here"},
	} {
		p := w.principal(t, tt.bearer)
		if !p.Anonymous() || p.Rejected == nil || p.Rejected.Code != tt.code || !strings.Contains(p.Rejected.Detail, tt.says) {
			t.Errorf("%s: %+v, want %s with %q", tt.name, p.Rejected, tt.code, tt.says)
		}
		if strings.Contains(p.Rejected.Error(), tt.bearer) {
			t.Errorf("%s: the refusal repeats the token", tt.name)
		}
		// On a public channel a bad credential is ignored: clients send theirs to every channel of a host.
		if err := w.MayRead(t.Context(), p, w.open); err != nil {
			t.Errorf("%s: reading a public channel: %v", tt.name, err)
		}
		if err := w.MayRead(t.Context(), p, w.shut); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: reading a private channel: %v", tt.name, err)
		}
	}
	if p, err := w.Cookie(t.Context(), live); err != nil || !p.Anonymous() {
		t.Errorf("an API token as cookie: %+v, %v", p, err)
	}
	if p, err := w.Cookie(t.Context(), session.Reveal()); err != nil || p.User == nil || p.User.Name != "owner" {
		t.Errorf("a session as cookie: %+v, %v", p, err)
	}
	w.now = w.now.Add(account.MaxTokenLife)
	if p := w.principal(t, live); p.Rejected == nil || p.Rejected.Code != fault.Expired {
		t.Errorf("after its end: %+v", p.Rejected)
	}
}

func TestGrantBoundsNames(t *testing.T) {
	w := newWorld(t)
	right, err := w.MayUpload(t.Context(), w.publisher(t), w.open)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := right.Grants("tidelib", conda.Noarch()); err != nil || len(g) != 1 || g[0].PublisherID != 1 {
		t.Errorf("tidelib: %+v, %v", g, err)
	}
	if _, err := right.Grants("ebb", conda.Noarch()); !fault.Is(err, fault.PackageNotAllowed) || !strings.Contains(err.Error(), "tide*") {
		t.Errorf("ebb: %v", err)
	}
}
