package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"sluice/internal/config"
	"sluice/internal/fault"
)

// SMTP is the way out.
type SMTP struct {
	Server config.MailServer
	// From is the bare address that mails come from.
	From string
	// Roots are the authorities of the server's certificate; nil means those of the system.
	Roots *x509.CertPool
}

// sendTime bounds one mail, from the connection to the server's last word.
const sendTime = time.Minute

// message is a mail that is ready.
type message struct {
	id, host, to, subject, body string
	at                          time.Time
}

// send gives m to the server. A nil error means that the server has it; after any other it may have it, too, when the
// connection broke at the last word.
func (s SMTP) send(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	msg, err := s.compose(m)
	if err != nil {
		return fmt.Errorf("write the mail: %w", err)
	}
	var l line
	defer l.hangUp()
	client, err := s.client(m.host, func(_ context.Context, network, address string) (net.Conn, error) {
		return l.dial(ctx, network, address, s.fromStart()) // the library's own context ends with the greeting
	})
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, msg)
	switch {
	case msg.IsDelivered(): // the server has said so, however the connection ended
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not answer in time: %w", s.address(), context.Cause(ctx))
	}
	return s.said(m, err)
}

func (s SMTP) address() string { return net.JoinHostPort(s.Server.Host, strconv.Itoa(s.Server.Port)) }

// said is the error of a failed try, for the log. Of what a server says when it is told the recipient only the numbers
// are kept; what it says before may still repeat the password.
func (s SMTP) said(m message, err error) error {
	if sent, ok := errors.AsType[*gomail.SendError](err); ok {
		return fmt.Errorf("%s refused the mail: %s %d %s", s.address(), sent.Reason, sent.ErrorCode(), fault.OneLine(sent.EnhancedStatusCode(), 20))
	}
	text := strings.ReplaceAll(err.Error(), m.to, "(address)")
	if password := s.Server.Password; password != "" {
		text = strings.ReplaceAll(text, password.Reveal(), password.String())
	}
	return fmt.Errorf("%s: %s", s.address(), fault.OneLine(text, maxSentence))
}

func (s SMTP) compose(m message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.FromFormat("Sluice at "+m.host, s.From), msg.To(m.to)); err != nil {
		return nil, err
	}
	msg.Subject(m.subject)
	msg.SetDateWithValue(m.at)
	msg.SetMessageIDWithValue(m.id + "@" + m.host)
	// RFC 3834 §5: no machine answers what a machine sent.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.body)
	return msg, nil
}

// client is go-mail's, over a connection that dial makes.
func (s SMTP) client(helo string, dial gomail.DialContextFunc) (*gomail.Client, error) {
	policy := map[config.MailTLS]gomail.TLSPolicy{
		config.MailStartTLS: gomail.TLSMandatory, config.MailWhenOffered: gomail.TLSOpportunistic,
		config.MailClear: gomail.NoTLS, config.MailFromStart: gomail.NoTLS,
	}[s.Server.TLS]
	opts := []gomail.Option{
		gomail.WithPort(s.Server.Port), gomail.WithTimeout(sendTime), gomail.WithHELO(helo), gomail.WithoutSMTPUTF8(),
		gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(s.tlsConfig()), gomail.WithDialContextFunc(dial),
	}
	if s.Server.TLS == config.MailFromStart {
		opts = append(opts, gomail.WithSSL())
	}
	if s.Server.User != "" {
		// Neither PLAIN nor LOGIN is spoken in clear to another machine: the library refuses that by itself.
		opts = append(opts, gomail.WithUsername(s.Server.User), gomail.WithPassword(s.Server.Password.Reveal()),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(s.Server.Host, opts...)
}

func (s SMTP) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.Server.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
}

// fromStart is the settings of a connection that is encrypted from its first byte; nil for any other.
func (s SMTP) fromStart() *tls.Config {
	if s.Server.TLS != config.MailFromStart {
		return nil
	}
	return s.tlsConfig()
}

// line is one connection. The library extends its deadlines as it goes, and leaves it open after some failures, so it
// is ended from here: when the context of the whole ends, and when all is done.
type line struct {
	conn net.Conn
	stop func() bool
}

func (l *line) dial(ctx context.Context, network, address string, secure *tls.Config) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn = &bounded{Conn: conn, left: maxAnswers}
	l.conn = conn
	l.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if secure == nil {
		return conn, nil
	}
	secured := tls.Client(conn, secure)
	return secured, secured.HandshakeContext(ctx)
}

// maxAnswers bounds what a server may say for one mail, in bytes: the library reads lines of any length.
const maxAnswers = 1 << 20

// bounded is a connection that ends after so many bytes.
type bounded struct {
	net.Conn
	left int
}

// Read implements net.Conn.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the server says too much")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (l *line) hangUp() {
	if l.conn != nil {
		l.stop()
		_ = l.conn.Close() // what matters was said before
	}
}
