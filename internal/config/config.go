// Package config holds the settings of a Sluice server: where each comes from (flag, then environment,
// then TOML file, then default), what it may be, and every mistake in them at once. It is a leaf: it
// must not know of commands, of HTTP, or of any room that a setting is for.
package config

import (
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config is every setting of a server, checked. Load makes one; the zero value is not valid.
// The name of a setting is the same everywhere: `upload-max` is the flag --upload-max, the variable
// SLUICE_UPLOAD_MAX and the key upload_max of the file.
type Config struct {
	// Listen is the address that the server listens on, HOST:PORT. Port 0 lets the system choose one
	// (see Bound). Default 127.0.0.1:8080.
	Listen string
	// URL is the public address of the server: scheme, host, and port if it is not the scheme's own;
	// lower case, no slash at the end. Plain http only on loopback. Default http://LISTEN when LISTEN is
	// a loopback address; else it must be set, since its host is the audience of identity tokens.
	URL string
	// Data is the data folder. Default ./sluice-data.
	Data string
	// DB is the address of a PostgreSQL database, postgres://…; it may hold a password. Default empty:
	// SQLite in Data.
	DB Secret
	// Store is where packages lie. Default empty, a folder in Data; nothing else yet.
	Store string
	// Issuers are the identity providers whose tokens are taken, by name. A name is that of a CI service, or begins
	// with one and '-', unless the issuer says what it is. Setting any replaces the default, which is the
	// public services of GitHub and GitLab; those of a flag or a variable replace all of a file.
	Issuers map[string]Issuer
	// Audiences are accepted in identity tokens besides Audience(). Default none.
	Audiences []string
	// SigstoreRoots are the instances of sigstore whose attestations count: PublicSigstore, or the file of a trusted root.
	// Default the public one.
	SigstoreRoots []string
	// SigstoreTUF is the address of the TUF repository that has the newest root of the public instance: https, or http on
	// loopback. Empty (written as "off"): nobody is asked. Default that of sigstore.
	SigstoreTUF string
	// SigstoreTUFRoot is the file of the root.json that this repository begins with. Default empty: sigstore's own. When it is
	// set, PublicSigstore stands for the instance of that repository.
	SigstoreTUFRoot string
	// Mail is the address of the server that takes mails, smtp://… or smtps://…; it may hold a password (see
	// MailServer). Default empty: no mails are sent.
	Mail Secret
	// MailFrom is the bare address that mails come from; required with Mail.
	MailFrom string
	// UploadMax bounds one package, in bytes. Default 5 GiB.
	UploadMax Bytes
	// PublishTokenLife is how long a publish token lives, 5 to 60 minutes. Default 30m.
	PublishTokenLife time.Duration
	// ShutdownGrace is how long requests in flight may go on after a signal to stop. Default 30s.
	ShutdownGrace time.Duration
	// StallTimeout is how long a body may go without progress, in either direction, before the
	// connection is cut. There is no limit on the whole. Default 60s.
	StallTimeout time.Duration
	// DeleteUndo is how long a deleted file can be restored, before its bytes are removed; 0: they go within minutes.
	// At most ten years. Default 168h, a week.
	DeleteUndo time.Duration
	// IndexMemory bounds the index pieces that are kept in memory, in bytes. Default 256 MiB.
	IndexMemory Bytes
	// LogFormat is "text" or "json". Default text.
	LogFormat string
	// LogLevel is the least level that is logged: debug, info, warn or error. Default info.
	LogLevel slog.Level

	derivedURL bool              // URL was made from Listen
	from       map[string]string // key → the source as a person would name it; nil when made by hand
	unparsed   map[string]bool   // keys that Load has refused, so that Validate need not
}

// Audience is what an identity token must name to be taken here: the host of URL in lower case, without
// port; an IPv6 address stands in brackets. This is what rattler_upload 0.8 and later ask their CI for.
func (c Config) Audience() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "" // Validate has refused such a URL
	}
	return strings.ToLower(strings.TrimSuffix(u.Host, portSuffix(u)))
}

// PublicSigstore stands for sigstore's own instance among SigstoreRoots.
const PublicSigstore = "public"

// AllAudiences is Audience and then every other one that is accepted, without repeats.
func (c Config) AllAudiences() []string {
	all := []string{c.Audience()}
	for _, a := range c.Audiences {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// Bound returns c with the address that the listener really has. When Listen asked for port 0 and URL
// was not set, the URL takes that port; its host, and so the audience, stays as it was written.
func (c Config) Bound(addr string) Config {
	host := hostOf(c.Listen)
	c.Listen = addr
	if _, port, err := net.SplitHostPort(addr); err == nil && c.derivedURL {
		c.URL = normalURL("http://" + net.JoinHostPort(host, port))
	}
	return c
}
