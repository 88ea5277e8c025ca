package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"sluice/internal/mail/address"
)

// MailServer is the server that takes mails from here.
type MailServer struct {
	Host string
	Port int
	TLS  MailTLS
	// User and Password are empty where the server wants none.
	User     string
	Password Secret
}

// MailTLS says how the way to the mail server is encrypted.
type MailTLS int

// The ways to a mail server. The zero value is the strictest that every address can have.
const (
	// MailStartTLS goes on only after STARTTLS (RFC 3207), with a certificate that fits the host.
	MailStartTLS MailTLS = iota
	// MailFromStart speaks TLS from the first byte (RFC 8314 §3.3).
	MailFromStart
	// MailWhenOffered takes STARTTLS where it is offered, and else goes on in clear.
	MailWhenOffered
	// MailClear never asks for TLS: the server is on this machine.
	MailClear
)

// errMail is what an address of a mail server looks like. Nothing of what came is repeated: it may be a password.
var errMail = errors.New("it must be an address like smtp://user:password@mail.example.com:587 (with STARTTLS), " +
	"smtps://mail.example.com:465, or smtp://127.0.0.1:25; write special characters of the password as %XX")

// MailServer is the setting mail taken apart, and false when no mails are to be sent.
func (c Config) MailServer() (MailServer, bool) {
	m, err := parseMail(c.Mail)
	return m, err == nil && c.Mail != ""
}

func parseMail(s Secret) (MailServer, error) {
	u, err := url.Parse(s.Reveal()) // its error repeats the address, and goes no further
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || !isHost(u.Hostname()) || u.Hostname() == "" ||
		u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return MailServer{}, errMail
	}
	m := MailServer{Host: strings.ToLower(u.Hostname())}
	if m.TLS, err = mailTLS(u); err != nil {
		return m, err
	}
	if m.Port, err = mailPort(u); err != nil {
		return m, err
	}
	if u.User == nil {
		return m, nil
	}
	password, _ := u.User.Password()
	m.User, m.Password = u.User.Username(), Secret(password)
	switch {
	case m.User == "" || password == "":
		return m, errors.New("a mail server that wants a user name wants a password, too: write smtp://user:password@host:587")
	case m.TLS == MailWhenOffered:
		return m, errors.New("with starttls=optional the password could be read on the way; leave it out, or leave out the password")
	}
	return m, nil
}

// mailTLS reads how the way is encrypted. What leaves this machine is encrypted unless the operator says otherwise.
func mailTLS(u *url.URL) (MailTLS, error) {
	q, err := url.ParseQuery(u.RawQuery)
	want := q.Get("starttls")
	if err != nil || len(q) > 1 || len(q) == 1 && want != "required" && want != "optional" || want != "" && u.Scheme == "smtps" {
		return 0, errors.New("after the ? it takes starttls=required or starttls=optional, and that for smtp:// only")
	}
	switch {
	case u.Scheme == "smtps":
		return MailFromStart, nil
	case want == "optional":
		return MailWhenOffered, nil
	case want == "" && isLoopback(u.Hostname()):
		return MailClear, nil
	}
	return MailStartTLS, nil
}

func mailPort(u *url.URL) (int, error) {
	if u.Port() == "" {
		return map[string]int{"smtp": 587, "smtps": 465}[u.Scheme], nil
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil || n < 1 || n > 65535 {
		return 0, errors.New("its port is not between 1 and 65535")
	}
	return n, nil
}

// shownMail is the setting mail without its password.
func (c Config) shownMail() string {
	m, ok := c.MailServer()
	if !ok {
		return c.Mail.String()
	}
	u, err := url.Parse(c.Mail.Reveal())
	if err != nil {
		return c.Mail.String()
	}
	if u.User == nil {
		return u.String()
	}
	u.User = nil
	return strings.Replace(u.String(), "://", "://"+url.User(m.User).String()+":"+m.Password.String()+"@", 1)
}

func (c Config) checkMail() error {
	if c.Mail == "" {
		return nil
	}
	_, err := parseMail(c.Mail)
	return err
}

func (c Config) checkMailFrom() error {
	switch {
	case c.MailFrom == "" && c.Mail == "":
		return nil
	case c.MailFrom == "":
		return errors.New("it is not set, and mail is: set --mail-from to the address that mails come from, such as sluice@example.com")
	}
	if _, err := address.Parse(c.MailFrom); err != nil {
		return fmt.Errorf("%q cannot be sent from: %w", c.MailFrom, err)
	}
	return nil
}
