package mail_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/config"
	"sluice/internal/db"
	outbox "sluice/internal/mail"
	"sluice/internal/mail/address"
	"sluice/internal/servertest"
	"sluice/internal/servertest/postgres"
	"sluice/internal/token"
)

// received is a mail as the server got it.
type received struct {
	from, to string
	header   mail.Header
	body     string
	secured  bool
	user     string
}

// office is a mail server of one test.
type office struct {
	// accounts are the names and passwords that it takes; it asks for none when there are none.
	accounts map[string]string
	// refuse answers a recipient or the data with an error.
	refuse func(stage string) error

	mu   sync.Mutex
	got  []received
	port int
	// roots know its certificate.
	roots *x509.CertPool
}

// certificate is for 127.0.0.1 and example.com.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.TLS.Certificates[0], roots
}

// open starts the server; without TLS it offers no STARTTLS.
func (o *office) open(t *testing.T, withTLS, fromStart bool) *office {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.port = l.Addr().(*net.TCPAddr).Port
	s := smtp.NewServer(o)
	s.Domain, s.AllowInsecureAuth, s.ReadTimeout, s.WriteTimeout, s.ErrorLog = "mail.test", true, time.Minute, time.Minute, silent{}
	if withTLS || fromStart {
		cert, roots := certificate(t)
		o.roots, s.TLSConfig = roots, &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if fromStart {
		l = tls.NewListener(l, s.TLSConfig)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-ended })
	return o
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// take are the mails that came since the last call.
func (o *office) take() []received {
	o.mu.Lock()
	defer o.mu.Unlock()
	got := o.got
	o.got = nil
	return got
}

// NewSession implements smtp.Backend.
func (o *office) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &visit{office: o, conn: c}, nil
}

type visit struct {
	office *office
	conn   *smtp.Conn
	now    received
}

func (v *visit) AuthMechanisms() []string {
	if len(v.office.accounts) == 0 {
		return nil
	}
	return []string{sasl.Plain}
}

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if want, ok := v.office.accounts[user]; !ok || want != password {
			return errors.New("authentication failed for " + user + " with " + password)
		}
		v.now.user = user
		return nil
	}), nil
}

func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	if len(v.office.accounts) > 0 && v.now.user == "" {
		return smtp.ErrAuthRequired
	}
	v.now.from = from
	_, v.now.secured = v.conn.TLSConnectionState()
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.now.to = to
	if v.office.refuse != nil {
		return v.office.refuse("RCPT " + to)
	}
	return nil
}

func (v *visit) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	v.now.header = m.Header
	b, err := io.ReadAll(decoded(m))
	if err != nil {
		return err
	}
	v.now.body = string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
	v.office.mu.Lock()
	v.office.got = append(v.office.got, v.now)
	v.office.mu.Unlock()
	if v.office.refuse != nil {
		return v.office.refuse("DATA")
	}
	return nil
}

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }

// world is an outbox with ann, who owns the channel forge and has an address.
type world struct {
	db *db.DB
	us atomic.Int64
	// another opens the same database once more, as a second server does.
	another func(t *testing.T) *db.DB
	channel channel.Channel
	log     *servertest.Log
	offices *office
	sender  *outbox.Sender
}

func (w *world) now() time.Time          { return time.UnixMicro(w.us.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.us.Add(d.Microseconds()) }

const annAddress = "ann.secret@example.com"

func both(t *testing.T, o *office, run func(t *testing.T, w *world)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) { run(t, newWorld(t, name == "postgres", o)) })
	}
}

func newWorld(t *testing.T, pg bool, o *office) *world {
	t.Helper()
	w := &world{log: &servertest.Log{}, offices: o}
	w.us.Store(time.Date(2026, 11, 24, 23, 5, 0, 0, time.UTC).UnixMicro())
	folder, dsn := t.TempDir(), ""
	if pg {
		dsn = postgres.Database(t)
	}
	w.another = func(t *testing.T) *db.DB {
		t.Helper()
		d, err := db.OpenSQLite(t.Context(), filepath.Join(folder, "sluice.db"), w.now)
		if pg {
			d, err = db.OpenPostgres(t.Context(), dsn, w.now)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	w.db = w.another(t)
	w.person(t, "ann", annAddress)
	w.sender = w.sending(w.db, o)
	return w
}

// person makes an account with an address that owns the channel forge.
func (w *world) person(t *testing.T, name, to string) {
	t.Helper()
	u, err := w.db.CreateUser(t.Context(), account.User{Name: name, CreatedAt: w.now()}, "", token.Hash{}, audit.Event{Kind: audit.AccountCreated})
	if err != nil {
		t.Fatal(err)
	}
	if w.channel.ID == 0 {
		forge, err := conda.ParseChannel("forge")
		if err != nil {
			t.Fatal(err)
		}
		w.channel, err = w.db.CreateChannel(t.Context(), channel.Channel{Name: forge, Visibility: channel.Public, CreatedAt: w.now()}, u.ID, audit.Event{Kind: audit.ChannelCreated})
		if err != nil {
			t.Fatal(err)
		}
	} else if err := w.db.SetMember(t.Context(), w.channel.ID, name, channel.Owner, audit.Event{Kind: audit.MemberSet}); err != nil {
		t.Fatal(err)
	}
	a, err := address.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	self := audit.Event{Kind: audit.AccountChanged, Subject: name, Actor: audit.Actor{Kind: audit.User, Name: name}}
	if err := w.db.SetMailAddress(t.Context(), name, a, self); err != nil {
		t.Fatal(err)
	}
}

// sending is the sender of one server, over plain SMTP.
func (w *world) sending(o outbox.Outbox, to *office) *outbox.Sender {
	return &outbox.Sender{
		Outbox: o, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: w.now,
		SMTP: outbox.SMTP{From: "sluice@example.com", Roots: to.roots, Server: config.MailServer{Host: "127.0.0.1", Port: to.port, TLS: config.MailClear}},
		Site: outbox.Site{
			URL: "https://conda.example.com", Account: "/account/tokens",
			Publishers: func(c string) string { return "/channels/" + url.PathEscape(c) + "/publishers" },
			Audit:      func(c string) string { return "/channels/" + url.PathEscape(c) + "/audit" },
			Run: func(e audit.Event) string {
				if e.Facts["run_id"] == "" {
					return ""
				}
				return "https://github.com/acme/forge/actions/runs/" + e.Facts["run_id"]
			},
		},
	}
}

func (w *world) happens(t *testing.T, e audit.Event) {
	t.Helper()
	e.At = w.now()
	if e.ChannelID == 0 && e.Kind != audit.APITokenRevoked {
		e.ChannelID, e.Channel = w.channel.ID, "forge"
	}
	if err := w.db.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// added is an event that owners are told of.
func added(sentence string) audit.Event {
	return audit.Event{Kind: audit.PublisherAdded, Subject: "acme/forge", Sentence: sentence, Actor: audit.Actor{Kind: audit.User, Name: "bob", Means: "session"}}
}

// mails sends what is due and returns what arrived.
func (w *world) mails(t *testing.T) []received {
	t.Helper()
	w.sender.Round(t.Context())
	return w.offices.take()
}

// raw listens and hands each connection to serve.
func raw(t *testing.T, serve func(c net.Conn, r *bufio.Reader)) *office {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer func() { _ = c.Close() }(); serve(c, bufio.NewReader(c)) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return &office{port: l.Addr().(*net.TCPAddr).Port}
}

// converse answers each line by its first word until there is no answer.
func converse(c net.Conn, r *bufio.Reader, answers map[string]string) {
	say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
	say("220 mail.test")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		answer, ok := answers[word]
		if !ok {
			_, _ = io.Copy(io.Discard, r) // says nothing more, until the other side hangs up
			return
		}
		if answer == "drop" {
			return
		}
		say(answer)
	}
}
