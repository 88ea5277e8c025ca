package mail_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/fault"
	outbox "sluice/internal/mail"
)

func decoded(m *mail.Message) io.Reader {
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		return quotedprintable.NewReader(m.Body)
	}
	return m.Body
}

func subject(t *testing.T, m received) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(m.header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAMail(t *testing.T) {
	t.Parallel()
	both(t, (&office{}).open(t, false, false), func(t *testing.T, w *world) {
		w.happens(t, audit.Event{
			Kind: audit.MintRefused, Code: string(fault.IDMismatch), Subject: "acme/forge", Sentence: "acme/forge has another id: see https://conda.example.com/channels/forge/publishers/1.",
			Actor: audit.Actor{Kind: audit.Publisher, Name: "acme/forge", Means: "build.yml of acme/forge, run 7 attempt 1"}, Facts: map[string]string{"run_id": "1019"},
		})
		got := w.mails(t)
		if len(got) != 1 {
			t.Fatalf("%d mails: %s", len(got), w.log)
		}
		m := got[0]
		want := map[string]string{
			"From": `"Sluice at conda.example.com" <sluice@example.com>`, "To": "<" + annAddress + ">", "Auto-Submitted": "auto-generated",
			"Date": "Tue, 24 Nov 2026 23:05:00 +0000", "User-Agent": "", "X-Mailer": "", "Content-Type": "text/plain; charset=UTF-8",
		}
		for key, value := range want {
			if m.header.Get(key) != value {
				t.Errorf("%s: %q, want %q", key, m.header.Get(key), value)
			}
		}
		if id := m.header.Get("Message-Id"); !strings.HasSuffix(id, "@conda.example.com>") {
			t.Errorf("Message-ID: %q", id)
		}
		if m.from != "sluice@example.com" || m.to != annAddress || subject(t, m) != "[conda.example.com] forge: a look-alike of a trusted publisher was refused" {
			t.Errorf("from %q to %q: %q", m.from, m.to, subject(t, m))
		}
		const text = `Hello ann,

this happened on https://conda.example.com:

  acme/forge has another id: see https://conda.example.com/channels/forge/publishers/1.
  24 Nov 2026 23:05:00 UTC, by build.yml of acme/forge, run 7 attempt 1, channel forge, id_mismatch
  https://github.com/acme/forge/actions/runs/1019

Where to look:
  https://conda.example.com/channels/forge/publishers
  https://conda.example.com/channels/forge/audit
  https://conda.example.com/account/tokens

You get this because ann has this address, and owns what it is about. To get no more mails, remove the
address on https://conda.example.com/account/tokens, or ask an administrator of the server.
`
		if d := cmp.Diff(text, strings.TrimRight(m.body, "\n")+"\n"); d != "" {
			t.Error(d)
		}
		if again := w.mails(t); len(again) != 0 {
			t.Errorf("it came again: %+v", again)
		}
	})
}

// What others chose can be neither a header nor a line nor a link of its own.
func TestClaimsStayInTheirLine(t *testing.T) {
	t.Parallel()
	both(t, (&office{}).open(t, false, false), func(t *testing.T, w *world) {
		evil := added("added x\r\nBcc: eve@example.com\r\n\r\n.\r\nQUIT\r\nHello \u202eann http://evil.example/a https://conda.example.com.evil.example/b https://conda.example.com@evil.example/c https://conda.example.com:8/d https://conda.example.com/ok at https://conda.example.com and")
		evil.Actor = audit.Actor{Kind: audit.User, Name: "bob", Means: "API token \"x\nSubject: y\" https://evil.example"}
		evil.ChannelID, evil.Channel = w.channel.ID, "forge\r\nBcc: eve@example.com"
		w.happens(t, evil)
		got := w.mails(t)
		if len(got) != 1 || got[0].to != annAddress || got[0].header.Get("Bcc") != "" || strings.ContainsAny(subject(t, got[0]), "\r\n") {
			t.Fatalf("%+v", got)
		}
		body := got[0].body
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "Bcc:") || strings.HasPrefix(line, "Subject:") || strings.HasPrefix(line, "QUIT") || strings.HasPrefix(line, ".") {
				t.Errorf("a line of its own: %q", line)
			}
		}
		for _, want := range []string{"<U+000D><U+000A>Bcc:", "<U+202E>", "http[:]//evil.example/a", "https[:]//conda.example.com.evil.example/b", "https[:]//conda.example.com@evil.example/c", "https[:]//conda.example.com:8/d", "https://conda.example.com/ok at https://conda.example.com and", "https[:]//evil.example"} {
			if !strings.Contains(body, want) {
				t.Errorf("the body lacks %q:\n%s", want, body)
			}
		}
	})
}

func TestSeveralEventsAreOneMail(t *testing.T) {
	t.Parallel()
	both(t, (&office{}).open(t, false, false), func(t *testing.T, w *world) {
		for i := range outbox.MaxEntries + 5 {
			w.happens(t, added(fmt.Sprintf("event %02d.", i)))
		}
		got := w.mails(t)
		if len(got) != 1 {
			t.Fatalf("%d mails", len(got))
		}
		if s := subject(t, got[0]); s != "[conda.example.com] 25 notices" {
			t.Errorf("subject %q", s)
		}
		if b := got[0].body; !strings.Contains(b, "event 00.") || !strings.Contains(b, "event 19.") || strings.Contains(b, "event 20.") || !strings.Contains(b, "and 5 more") {
			t.Errorf("body:\n%s", b)
		}
		w.happens(t, added("one"))
		w.happens(t, added("two"))
		if got := w.mails(t); len(got) != 1 || subject(t, got[0]) != "[conda.example.com] forge: 2 notices" {
			t.Errorf("%+v", got)
		}
		w.happens(t, audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Sentence: `revoked the API token "laptop"`, Actor: audit.Actor{Kind: audit.Operator, Means: "command line"}})
		if got := w.mails(t); len(got) != 1 || subject(t, got[0]) != "[conda.example.com] an API token was revoked" || !strings.Contains(got[0].body, "by the operator, command line") {
			t.Errorf("%+v", got)
		}
	})
}

// The ways to a mail server, each with its neighbour that must not get a mail.
func TestWaysOut(t *testing.T) {
	t.Parallel()
	people := map[string]string{"sluice": "hunter2!"}
	for _, tt := range []struct {
		name                string
		offersTLS, tlsFirst bool
		accounts            map[string]string
		via                 config.MailServer
		stranger            bool // its certificate is of an authority that nobody knows
		secured, refused    bool
	}{
		{name: "clear on this machine", via: config.MailServer{TLS: config.MailClear}},
		{name: "STARTTLS", offersTLS: true, via: config.MailServer{TLS: config.MailStartTLS}, secured: true},
		{name: "STARTTLS that is not offered", via: config.MailServer{TLS: config.MailStartTLS}, refused: true},
		{name: "STARTTLS with a strange certificate", offersTLS: true, stranger: true, via: config.MailServer{TLS: config.MailStartTLS}, refused: true},
		{name: "STARTTLS with a certificate of another host", offersTLS: true, via: config.MailServer{TLS: config.MailStartTLS, Host: "localhost"}, refused: true},
		{name: "taken when offered", offersTLS: true, via: config.MailServer{TLS: config.MailWhenOffered}, secured: true},
		{name: "not offered", via: config.MailServer{TLS: config.MailWhenOffered}},
		{name: "from the start", tlsFirst: true, via: config.MailServer{TLS: config.MailFromStart}, secured: true},
		{name: "from the start with a strange certificate", tlsFirst: true, stranger: true, via: config.MailServer{TLS: config.MailFromStart}, refused: true},
		{name: "from the start to one that speaks clear", via: config.MailServer{TLS: config.MailFromStart}, refused: true},
		{name: "with a password", offersTLS: true, accounts: people, via: config.MailServer{TLS: config.MailStartTLS, User: "sluice", Password: "hunter2!"}, secured: true},
		{name: "with a password from the start", tlsFirst: true, accounts: people, via: config.MailServer{TLS: config.MailFromStart, User: "sluice", Password: "hunter2!"}, secured: true},
		{name: "with a password on this machine", accounts: people, via: config.MailServer{TLS: config.MailClear, User: "sluice", Password: "hunter2!"}},
		{name: "with a wrong password", offersTLS: true, accounts: people, via: config.MailServer{TLS: config.MailStartTLS, User: "sluice", Password: "hunter3!"}, refused: true},
		{name: "without a password", offersTLS: true, accounts: people, via: config.MailServer{TLS: config.MailStartTLS}, refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := (&office{accounts: tt.accounts}).open(t, tt.offersTLS, tt.tlsFirst)
			w := newWorld(t, false, o)
			if tt.via.Host == "" {
				tt.via.Host = "127.0.0.1"
			}
			tt.via.Port = o.port
			w.sender.SMTP.Server = tt.via
			if tt.stranger {
				w.sender.SMTP.Roots = nil
			}
			w.happens(t, added("x"))
			got := w.mails(t)
			if tt.refused != (len(got) == 0) || tt.refused != strings.Contains(w.log.String(), "mail not sent") {
				t.Fatalf("%d mails:\n%s", len(got), w.log)
			}
			if !tt.refused && (got[0].secured != tt.secured || got[0].user != tt.via.User) {
				t.Errorf("secured %v, as %q", got[0].secured, got[0].user)
			}
			w.holdsNoSecret(t)
		})
	}
}

// holdsNoSecret looks for what must not be in the log.
func (w *world) holdsNoSecret(t *testing.T) {
	t.Helper()
	for _, secret := range []string{"hunter2!", "hunter3!", annAddress, "ann.secret"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, w.log)
		}
	}
}

// What a server does not take is tried again, ever more rarely, and given up in the end.
func TestARefusedMailIsTriedAgain(t *testing.T) {
	t.Parallel()
	o := &office{}
	o.open(t, false, false)
	both(t, o, func(t *testing.T, w *world) {
		o.refuse = func(stage string) error {
			if to, ok := strings.CutPrefix(stage, "RCPT "); ok {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no " + to + " here"}
			}
			return nil
		}
		w.happens(t, added("x"))
		if got := w.mails(t); len(got) != 0 || !strings.Contains(w.log.String(), "550 5.1.1") {
			t.Fatalf("%+v\n%s", got, w.log)
		}
		var waits []time.Duration
		for last := w.now(); !strings.Contains(w.log.String(), "mails given up"); {
			before := strings.Count(w.log.String(), "mail not sent")
			w.mails(t)
			if strings.Count(w.log.String(), "mail not sent") > before {
				waits, last = append(waits, w.now().Sub(last)), w.now()
			}
			if w.advance(time.Minute); len(waits) > 30 || w.now().Sub(last) > 13*time.Hour {
				t.Fatalf("tried after %v", waits)
			}
		}
		if !slices.IsSorted(waits[:11]) || waits[0] != time.Minute || waits[1] != 2*time.Minute || waits[10] != 12*time.Hour {
			t.Errorf("tried after %v", waits)
		}
		o.refuse = nil
		w.advance(24 * time.Hour)
		if got := w.mails(t); len(got) != 0 {
			t.Errorf("given up, and still sent: %+v", got)
		}
		w.holdsNoSecret(t)
	})
}

// A server that is busy has the mail a minute later.
func TestABusyServer(t *testing.T) {
	t.Parallel()
	o := &office{}
	o.open(t, false, false)
	both(t, o, func(t *testing.T, w *world) {
		o.refuse = func(stage string) error {
			if stage == "DATA" {
				o.take()
				return &smtp.SMTPError{Code: 451, Message: "later, " + annAddress}
			}
			return nil
		}
		w.happens(t, added("x"))
		if got := w.mails(t); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
		o.refuse = nil
		if got := w.mails(t); len(got) != 0 {
			t.Fatalf("at once again: %+v", got)
		}
		w.advance(time.Minute)
		if got := w.mails(t); len(got) != 1 {
			t.Errorf("%d mails:\n%s", len(got), w.log)
		}
		w.holdsNoSecret(t)
	})
}

// One server after another drops, stalls, or says what is no SMTP. None holds the sender, none loses the mail.
func TestBrokenServers(t *testing.T) {
	t.Parallel()
	fine := map[string]string{"EHLO": "250 mail.test", "HELO": "500 no", "NOOP": "250 ok", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", "RSET": "250 ok", "QUIT": "221 bye"}
	with := func(word, answer string) map[string]string {
		m := maps.Clone(fine)
		m[word] = answer
		return m
	}
	for name, serve := range map[string]func(net.Conn, *bufio.Reader){
		"drops at once":       func(net.Conn, *bufio.Reader) {},
		"drops after EHLO":    func(c net.Conn, r *bufio.Reader) { converse(c, r, with("EHLO", "drop")) },
		"drops at RCPT":       func(c net.Conn, r *bufio.Reader) { converse(c, r, with("RCPT", "drop")) },
		"drops at DATA":       func(c net.Conn, r *bufio.Reader) { converse(c, r, with("DATA", "drop")) },
		"says nonsense":       func(c net.Conn, r *bufio.Reader) { converse(c, r, with("EHLO", "HTTP/1.1 400 Bad Request")) },
		"says too much":       func(c net.Conn, _ *bufio.Reader) { _, _ = io.Copy(c, endless{}) },
		"is not at home":      func(c net.Conn, r *bufio.Reader) { converse(c, r, with("MAIL", "421 not now")) },
		"wants another EHLO":  func(c net.Conn, r *bufio.Reader) { converse(c, r, with("EHLO", "501 who?")) },
		"drops after a while": func(c net.Conn, r *bufio.Reader) { converse(c, r, with("NOOP", "drop")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := (&office{}).open(t, false, false)
			bad := raw(t, serve)
			w := newWorld(t, false, bad)
			w.happens(t, added("x"))
			w.sender.Round(t.Context())
			if log := w.log.String(); !strings.Contains(log, "mail not sent") || name == "says too much" && !strings.Contains(log, name) {
				t.Fatalf("the log says nothing:\n%s", log)
			}
			w.advance(time.Minute)
			w.sender.SMTP.Server.Port = good.port
			w.sender.Round(t.Context())
			if got := good.take(); len(got) != 1 {
				t.Errorf("%d mails:\n%s", len(got), w.log)
			}
			w.holdsNoSecret(t)
		})
	}
}

// endless is bytes without a line end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '2'
	}
	return len(p), nil
}

// A stop does not wait for a server that says nothing, and what was under way goes out after the lease.
func TestStopWhileAServerStalls(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"EHLO", "MAIL", "DATA"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			answers := map[string]string{"EHLO": "250 mail.test", "NOOP": "250 ok", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on"}
			delete(answers, word)
			stalls := make(chan struct{}, 1)
			bad := raw(t, func(c net.Conn, r *bufio.Reader) {
				stalls <- struct{}{}
				converse(c, r, answers)
			})
			w := newWorld(t, false, bad)
			w.happens(t, added("x"))
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); w.sender.Run(ctx) }()
			<-stalls
			stop()
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Fatal("it still waits for the server")
			}
			good := (&office{}).open(t, false, false)
			next := w.sending(w.db, good)
			w.advance(4 * time.Minute)
			next.Round(t.Context())
			if got := good.take(); len(got) != 0 {
				t.Errorf("sent while the other may still be at it: %+v", got)
			}
			w.advance(time.Minute)
			next.Round(t.Context())
			if got := good.take(); len(got) != 1 {
				t.Errorf("%d mails:\n%s", len(got), w.log)
			}
		})
	}
}

// A server that hangs up after it has taken the mail has it, and gets it once.
func TestAcceptedIsSent(t *testing.T) {
	t.Parallel()
	taken := make(chan string, 10)
	bad := raw(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, "220 x\r\n")
		for data := false; ; {
			line, err := r.ReadString('\n')
			switch {
			case err != nil:
				return
			case line == ".\r\n":
				taken <- "a mail"
				_, _ = io.WriteString(c, "250 taken\r\n")
				return
			case data:
			case strings.HasPrefix(line, "DATA"):
				data = true
				_, _ = io.WriteString(c, "354 go on\r\n")
			default:
				_, _ = io.WriteString(c, "250 ok\r\n")
			}
		}
	})
	w := newWorld(t, false, bad)
	w.happens(t, added("x"))
	for range 3 {
		w.sender.Round(t.Context())
		w.advance(10 * time.Minute)
	}
	if len(taken) != 1 {
		t.Errorf("taken %d times:\n%s", len(taken), w.log)
	}
}

// dying is an outbox whose process ends between sending and marking.
type dying struct{ outbox.Outbox }

func (dying) LetterSent(context.Context, string) error { return errors.New("killed") }

func TestACrashBeforeTheMarkSendsTwiceAndLosesNothing(t *testing.T) {
	t.Parallel()
	both(t, (&office{}).open(t, false, false), func(t *testing.T, w *world) {
		w.happens(t, added("x"))
		w.sending(dying{w.db}, w.offices).Round(t.Context())
		if got := w.offices.take(); len(got) != 1 {
			t.Fatalf("%d mails", len(got))
		}
		if got := w.mails(t); len(got) != 0 {
			t.Errorf("within the lease: %+v", got)
		}
		w.advance(5 * time.Minute)
		if got := w.mails(t); len(got) != 1 {
			t.Errorf("after it: %d mails", len(got))
		}
		w.advance(5 * time.Minute)
		if got := w.mails(t); len(got) != 0 {
			t.Errorf("and once more: %+v", got)
		}
	})
}

// Several servers over one database send every mail once.
func TestTwoServersSendOnce(t *testing.T) {
	t.Parallel()
	both(t, (&office{}).open(t, false, false), func(t *testing.T, w *world) {
		want := []string{annAddress}
		for i := range 9 {
			to := fmt.Sprintf("o%d@example.com", i)
			w.person(t, fmt.Sprintf("o%d", i), to)
			want = append(want, to)
		}
		w.happens(t, added("x"))
		senders := []*outbox.Sender{w.sender, w.sending(w.another(t), w.offices), w.sending(w.another(t), w.offices)}
		for range 3 { // a sender that found nothing left for it may have missed what another one had just released
			var all sync.WaitGroup
			for _, s := range senders {
				all.Go(func() { s.Round(t.Context()) })
			}
			all.Wait()
		}
		var got []string
		for _, m := range w.offices.take() {
			got = append(got, m.to)
		}
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s\n%s", d, w.log)
		}
	})
}
