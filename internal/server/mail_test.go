package server_test

import (
	"io"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// postbox is a mail server that hands on what comes.
type postbox struct {
	port  string
	mails chan string
}

func newPostbox(t *testing.T) *postbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postbox{mails: make(chan string, 100)}
	_, p.port, _ = net.SplitHostPort(l.Addr().String())
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{p, ""}, nil }))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-ended })
	return p
}

// next is the next mail: recipient, subject and text.
func (p *postbox) next(t *testing.T) string {
	t.Helper()
	select {
	case m := <-p.mails:
		return m
	case <-time.After(time.Minute):
		t.Fatal("no mail came")
		return ""
	}
}

type delivery struct {
	*postbox
	to string
}

func (*delivery) Reset()                               {}
func (*delivery) Logout() error                        { return nil }
func (*delivery) Mail(string, *smtp.MailOptions) error { return nil }
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	return nil
}

func (d *delivery) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(m.Body)
	text := strings.NewReplacer("=\r\n", "", "=3D", "=", "\r\n", "\n").Replace(string(b))
	d.mails <- d.to + "\n" + m.Header.Get("Subject") + "\n" + text
	return err
}

// The whole way: what happens at a server reaches its channel's owner, with a link to the run, and nobody else.
func TestOwnersGetMails(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPostbox(t)
			s := servertest.New(t, servertest.Options{Postgres: name == "postgres", Configure: func(c *config.Config) {
				c.Mail, c.MailFrom = config.Secret("smtp://127.0.0.1:"+p.port), "sluice@example.com"
			}})
			ann, bob := s.User(t, "ann", false), s.User(t, "bob", false)
			for _, u := range []string{"ann", "bob"} {
				self := audit.Actor{Kind: audit.User, Name: u}
				if err := s.Accounts.SetMail(t.Context(), self, u, u+"@example.com"); err != nil {
					t.Fatal(err)
				}
			}
			forge := s.Channel(t, ann, "forge", channel.Public)
			s.Channel(t, bob, "other", channel.Public)
			s.Publisher(t, forge, trust.PublisherSpec{})
			if m := p.next(t); !strings.HasPrefix(m, "ann@example.com\n[") || !strings.Contains(m, "] forge: a trusted publisher was added\n") ||
				!strings.Contains(m, s.URL+"/channels/forge/publishers\n") {
				t.Errorf("added:\n%s", m)
			}
			s.PublishToken(t)
			if m := p.next(t); !strings.HasPrefix(m, "ann@example.com\n[") || !strings.Contains(m, "] forge: a trusted publisher was used for the first time\n") {
				t.Errorf("pinned:\n%s", m)
			}
			s.PublishToken(t) // its second use is no news
			identity, err := s.Job(standin.Run{RepositoryID: "666", RunID: 4711}).IdentityToken(t.Context(), "127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // a refusal uses nothing up
				if _, err := s.Job(standin.Run{}).Mint(t.Context(), s.URL, identity); err == nil {
					t.Fatal("a look-alike got a token")
				}
			}
			if m := p.next(t); !strings.HasPrefix(m, "ann@example.com\n[") || !strings.Contains(m, "] forge: a look-alike of a trusted publisher was refused\n") ||
				!strings.Contains(m, s.CI.URL()+"/acme/forge/actions/runs/4711/attempts/1\n") || !strings.Contains(m, "id_mismatch") {
				t.Errorf("look-alike:\n%s", m)
			}
			// What comes next is about the next thing: nothing was sent in between.
			if err := s.Accounts.SetMail(t.Context(), audit.Actor{Kind: audit.Operator}, "bob", "bob.lee@example.com"); err != nil {
				t.Fatal(err)
			}
			if m := p.next(t); !strings.HasPrefix(m, "bob.lee@example.com\n[") || !strings.Contains(m, "] your account was changed\n") {
				t.Errorf("account:\n%s", m)
			}
			for _, secret := range []string{"ann@example.com", "bob@example.com", "bob.lee@example.com"} {
				if strings.Contains(s.Log.String(), secret) {
					t.Errorf("%s is in the log", secret)
				}
			}
		})
	}
}
