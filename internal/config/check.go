package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate joins every mistake in c. Each names the setting by its source and says what to write instead;
// none shows a secret.
func (c Config) Validate() error {
	return errors.Join(
		c.at("listen", checkListen(c.Listen)),
		c.at("url", c.checkURL()),
		c.at("data", notEmpty(c.Data)),
		c.at("db", checkDB(c.DB)),
		c.at("store", checkStore(c.Store)),
		c.at("issuer", checkIssuers(c.Issuers)),
		c.at("audience", checkAudiences(c.Audiences)),
		c.at("sigstore_root", checkRoots(c.SigstoreRoots)),
		c.at("sigstore_tuf", checkTUF(c.SigstoreTUF)),
		c.at("sigstore_tuf_root", c.checkTUFRoot()),
		c.at("mail", c.checkMail()),
		c.at("mail_from", c.checkMailFrom()),
		c.at("upload_max", bytesBetween(c.UploadMax, 1<<10, 1<<40)),
		c.at("publish_token_life", between(c.PublishTokenLife, 5*time.Minute, time.Hour)),
		c.at("shutdown_grace", between(c.ShutdownGrace, time.Second, time.Hour)),
		c.at("stall_timeout", between(c.StallTimeout, time.Second, time.Hour)),
		c.at("delete_undo", between(c.DeleteUndo, 0, 10*365*24*time.Hour)),
		c.at("index_memory", bytesBetween(c.IndexMemory, 1<<20, 1<<40)),
		c.at("log_format", oneOf(c.LogFormat, "text", "json")),
	)
}

// at names the place of a mistake.
func (c Config) at(key string, err error) error {
	if err == nil || c.unparsed[key] {
		return nil
	}
	return fmt.Errorf("%s: %w", cmp.Or(c.from[key], flagName(key)), err)
}

func checkRoots(list []string) error {
	if slices.Contains(list, "") {
		return errors.New("an empty name is no file; leave it out, or write public")
	}
	return nil
}

func checkTUF(s string) error {
	if s != "" && checkAddress(s) != nil {
		return fmt.Errorf("%q is no address of a TUF repository; write it like https://tuf-repo-cdn.sigstore.dev (http on loopback only), or off", s)
	}
	return nil
}

func (c Config) checkTUFRoot() error {
	if c.SigstoreTUFRoot != "" && c.SigstoreTUF == "" {
		return errors.New("it begins a TUF repository, and sigstore_tuf is off; set sigstore_tuf to its address, or leave this out")
	}
	return nil
}

func checkListen(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT, such as 127.0.0.1:8080", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q has no port between 0 and 65535", s)
	}
	if strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("%q names no host", s)
	}
	return nil
}

func checkDB(s Secret) error {
	if s == "" {
		return nil
	}
	// url.Parse repeats the address in its error, so that error must go no further.
	u, err := url.Parse(s.Reveal())
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("it must be an address like postgres://user:password@host/database; " +
			"leave it unset for SQLite in the data folder")
	}
	return nil
}

func checkStore(s string) error {
	switch {
	case s == "":
		return nil
	case strings.HasPrefix(s, "s3://"):
		return errors.New("this version cannot keep packages in S3 yet; leave it unset, and they lie in the data folder")
	}
	return fmt.Errorf("%q is no place that this version knows; leave it unset, and packages lie in the data folder", s)
}

func checkAudiences(list []string) error {
	for _, a := range list {
		if a == "" || len(a) > 255 || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("%q cannot be an audience: it needs 1 to 255 printable ASCII characters, no spaces", a)
		}
	}
	return nil
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("it must not be empty")
	}
	return nil
}

func between(d, low, high time.Duration) error {
	if d < low || d > high {
		return fmt.Errorf("%v is not between %v and %v", d, low, high)
	}
	return nil
}

func bytesBetween(b, low, high Bytes) error {
	if b < low || b > high {
		return fmt.Errorf("%v is not between %v and %v", b, low, high)
	}
	return nil
}

func oneOf(s string, allowed ...string) error {
	if !slices.Contains(allowed, s) {
		return fmt.Errorf("%q is not one of: %s", s, strings.Join(allowed, ", "))
	}
	return nil
}
