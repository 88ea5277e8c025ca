package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Issuer is an identity provider whose tokens are taken, as the operator writes it: what is empty is as its CI
// service has it. What the services are, and what their claims mean, is checked where they are known.
type Issuer struct {
	// URL is the issuer, spelled as in the token's claim iss, byte for byte. Empty: the service's public one.
	URL string
	// Provider is the kind of CI service; empty: the name of the issuer says it. "generic" is one that Claims describe.
	Provider string
	// Algorithms are the signature algorithms that are taken, asymmetric ones alone.
	Algorithms []string
	// Audiences are accepted in this issuer's tokens alone.
	Audiences []string
	// JWKSURI is where its keys are, JWKSFile a file that has them; discovery is not asked then.
	JWKSURI, JWKSFile string
	// Proxy is the way to its keys: http, https, socks5 or socks5h. It may hold a password.
	Proxy Secret
	// CAFile has certificates in PEM form, of authorities that may vouch for its host besides the system's.
	CAFile string
	// MaxLifetime is the longest time that a token may span; 0: as the service has it.
	MaxLifetime time.Duration
	// Claims say which claim tells which part of a run, for a generic issuer: "repository_id" → "sub".
	Claims map[string]string
	// Events, HostedRunner, Fold, RunLink and NeedsJTI complete it; see provider.Mapping.
	Events       []string
	HostedRunner string
	Fold         bool
	RunLink      string
	NeedsJTI     bool
}

// plain reports whether an issuer is no more than its address.
func (i Issuer) plain() bool {
	i.URL = ""
	return len(i.rows()) == 0
}

// IssuerTable is a table [issuers.NAME] of the file, as it is written; see Issuer.
type IssuerTable struct {
	URL          string            `toml:"url"`
	Provider     string            `toml:"provider"`
	Algorithms   []string          `toml:"algorithms"`
	Audiences    []string          `toml:"audiences"`
	JWKSURI      string            `toml:"jwks_uri"`
	JWKSFile     string            `toml:"jwks_file"`
	Proxy        Secret            `toml:"proxy"`
	CAFile       string            `toml:"ca_file"`
	MaxLifetime  string            `toml:"max_lifetime"`
	Claims       map[string]string `toml:"claims"`
	Events       []string          `toml:"events"`
	HostedRunner string            `toml:"hosted_runner"`
	Fold         bool              `toml:"fold"`
	RunLink      string            `toml:"run_link"`
	NeedsJTI     bool              `toml:"needs_jti"`
}

// issuer turns a table into values. Files are named from the folder of the configuration file.
func (t IssuerTable) issuer(folder string) (Issuer, error) {
	i := Issuer{
		URL: strings.TrimSpace(t.URL), Provider: t.Provider, Algorithms: t.Algorithms, Audiences: t.Audiences, JWKSURI: t.JWKSURI,
		JWKSFile: below(folder, t.JWKSFile), Proxy: t.Proxy, CAFile: below(folder, t.CAFile), Claims: t.Claims, Events: t.Events,
		HostedRunner: t.HostedRunner, Fold: t.Fold, RunLink: t.RunLink, NeedsJTI: t.NeedsJTI,
	}
	var err error
	if t.MaxLifetime != "" {
		if i.MaxLifetime, err = parseDuration(t.MaxLifetime); err != nil {
			err = fmt.Errorf("max_lifetime: %w", err)
		}
	}
	return i, err
}

func below(folder, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(folder, name)
}

// addIssuers puts the issuers of a file together: those of its setting issuer, and its tables.
func (f fileSettings) addIssuers(name string) (map[string]Issuer, error) {
	var errs []error
	out := plainIssuers(f.Issuer)
	for _, n := range slices.Sorted(maps.Keys(f.Issuers)) {
		i, err := f.Issuers[n].issuer(filepath.Dir(name))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: issuers.%s: %w", name, n, err))
		}
		if _, twice := out[n]; twice {
			errs = append(errs, fmt.Errorf("%s: issuers.%s: the setting issuer has %s, too; keep one", name, n, n))
		}
		out[n] = i
	}
	return out, errors.Join(errs...)
}

func plainIssuers(m map[string]string) map[string]Issuer {
	out := map[string]Issuer{}
	for name, address := range m {
		out[name] = Issuer{URL: strings.TrimSpace(address)}
	}
	return out
}

func checkIssuers(m map[string]Issuer) error {
	var errs []error
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		i := m[name]
		if err := i.check(name); err != nil {
			errs = append(errs, err)
		} else if other, ok := seen[i.URL]; ok && i.URL != "" {
			errs = append(errs, fmt.Errorf("%s and %s name the same issuer", other, name))
		}
		seen[i.URL] = name
	}
	return errors.Join(errs...)
}

// maxIssuerName is how long an issuer's name may be, which publishers repeat.
const maxIssuerName = 40

func (i Issuer) check(name string) error {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.Trim(name, "-") == "" || len(name) > maxIssuerName {
		return fmt.Errorf("%q is not a name for an issuer: use lower-case letters, digits and '-', at most %d", name, maxIssuerName)
	}
	var errs []error
	note := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", strings.TrimSuffix(name+"."+key, "."), err))
		}
	}
	if i.URL != "" {
		note("", checkAddress(i.URL))
	}
	if i.JWKSURI != "" {
		path, _, _ := strings.Cut(i.JWKSURI, "?") // other than an issuer, a document may be asked for by a query
		note("jwks_uri", checkAddress(path))
	}
	for _, alg := range i.Algorithms {
		note("algorithms", oneOf(alg, asymmetric()...))
	}
	note("audiences", checkAudiences(i.Audiences))
	if i.MaxLifetime != 0 {
		note("max_lifetime", between(i.MaxLifetime, time.Minute, 24*time.Hour))
	}
	return errors.Join(errs...)
}

// asymmetric are the algorithms by which an issuer can sign: the key of any other would be a secret of both sides.
func asymmetric() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("it is not a plain address, such as https://token.actions.githubusercontent.com")
	}
	return checkOrigin(u)
}

// rows are the settings of an issuer that are not empty, as its table has them.
func (i Issuer) rows() []row {
	var out []row
	add := func(key, value string, secret bool) {
		if value != "" {
			out = append(out, row{key: key, value: value, secret: secret})
		}
	}
	word := func(s string) string {
		if s == "" {
			return ""
		}
		return quote(s)
	}
	words := func(ss []string) string {
		if len(ss) == 0 {
			return ""
		}
		return list(ss)
	}
	yes := map[bool]string{true: "true"}
	add("url", word(i.URL), false)
	add("provider", word(i.Provider), false)
	add("algorithms", words(i.Algorithms), false)
	add("audiences", words(i.Audiences), false)
	add("jwks_uri", word(i.JWKSURI), false)
	add("jwks_file", word(i.JWKSFile), false)
	add("proxy", word(i.Proxy.String()), true)
	add("ca_file", word(i.CAFile), false)
	if i.MaxLifetime != 0 {
		add("max_lifetime", quote(i.MaxLifetime.String()), false)
	}
	add("events", words(i.Events), false)
	add("hosted_runner", word(i.HostedRunner), false)
	add("fold", yes[i.Fold], false)
	add("run_link", word(i.RunLink), false)
	add("needs_jti", yes[i.NeedsJTI], false)
	if len(i.Claims) > 0 {
		add("claims", inlineTable(i.Claims), false)
	}
	return out
}
