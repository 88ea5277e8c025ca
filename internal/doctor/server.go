package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// about is what a server says of itself (GET /api/v1/server).
type about struct {
	URL       string     `json:"url"`
	Version   string     `json:"version"`
	Time      time.Time  `json:"time"`
	Audiences []string   `json:"audiences"`
	Issuers   []issuer   `json:"issuers"`
	Sigstore  []instance `json:"sigstore"`
	Arrived   struct {
		Host         string   `json:"host"`
		Scheme       string   `json:"scheme"`
		ProxyHeaders []string `json:"proxy_headers"`
	} `json:"arrived"`
}

// issuer is how the keys of one issuer stand at the server.
type issuer struct {
	Provider  string    `json:"provider"`
	Issuer    string    `json:"issuer"`
	Usable    bool      `json:"usable"`
	Keys      int       `json:"keys"`
	FetchedAt time.Time `json:"keys_fetched_at"`
	ClockSkew float64   `json:"clock_skew_seconds"`
}

// instance is how the keys of an instance of sigstore stand at the server.
type instance struct {
	Name      string    `json:"name"`
	Usable    bool      `json:"usable"`
	Source    string    `json:"source"`
	UsedAt    time.Time `json:"used_at"`
	CheckedAt time.Time `json:"checked_at"`
	Stale     bool      `json:"stale"`
}

// server asks the server what it is, and compares. It reports whether a Sluice server is there; about is nil where
// that is too old to tell.
func (x *examination) server(ctx context.Context) (*about, bool) {
	a := x.ask(ctx, question{path: "/api/v1/server"})
	said, f := identity(a)
	x.tell(f)
	if said == nil {
		return nil, f.Result != Fail
	}
	x.each(ownAddress(x.URL, said.URL), audience(x.audience, said.Audiences), hostHeader(x.address.Host, said), clock(a, said))
	for _, is := range said.Issuers {
		x.tell(issuerKeys(is, said.Time))
	}
	for _, i := range said.Sigstore {
		x.tell(instanceKeys(i, said.Time))
	}
	if len(said.Issuers) == 0 {
		x.tell(look("issuer", "the server takes the identity tokens of nobody", "To publish without a key, name an issuer in the settings"))
	}
	return said, true
}

// identity reads what the server says of itself.
func identity(a answer) (*about, Finding) {
	const check = "server"
	said := &about{}
	switch {
	case a.err == nil && a.status == http.StatusOK && a.kind() == "application/json" && json.Unmarshal(a.body, said) == nil && said.URL != "":
		return said, ok(check, "Sluice %s", shown(said.Version))
	case a.err == nil && a.status == http.StatusNotFound && a.ours():
		return nil, look(check, "an older Sluice, which does not tell of itself", "Upgrade it, to have address, audience, clock and issuers compared")
	default:
		why, do := a.foreign()
		return nil, fail(check, "GET /api/v1/server: "+why, do)
	}
}

// ownAddress compares the server's own address with the one that was asked.
func ownAddress(asked, own string) Finding {
	if asked == own {
		return ok("address", "the server knows itself by it")
	}
	return fail("address", fmt.Sprintf("the server calls itself %s, not %s", shown(own), asked),
		fmt.Sprintf("Give people %s; or, if %s is right, start the server with --url %s", shown(own), asked, asked))
}

// audience looks whether the identity tokens that clients will ask for are taken: they name the host alone.
func audience(wanted string, taken []string) Finding {
	if slices.Contains(taken, wanted) {
		return ok("audience", "%s, as clients ask for", wanted)
	}
	return fail("audience", fmt.Sprintf("clients will ask for %s, the server takes %s", wanted, shown(strings.Join(taken, ", "))),
		"Start the server with --url on this host, or with --audience "+wanted)
}

// hostHeader looks what a proxy made of the Host header.
func hostHeader(asked string, said *about) Finding {
	const check = "proxy"
	seen := said.Arrived
	if !strings.EqualFold(seen.Host, asked) {
		return look(check, fmt.Sprintf("the Host header arrives as %s", shown(seen.Host)),
			"Let the proxy keep it, or the guard against cross-site requests refuses forms of some browsers; in nginx: proxy_set_header Host $http_host")
	}
	if len(seen.ProxyHeaders) > 0 {
		return ok(check, "one is in between (%s); the Host header arrives as it was sent", shown(strings.Join(seen.ProxyHeaders, ", ")))
	}
	return ok(check, "none makes itself known; the Host header arrives as it was sent")
}

const (
	// tolerated is how far clocks may differ before identity tokens are refused.
	tolerated = time.Minute
	// noticeable is how far they may differ before anybody need look.
	noticeable = 10 * time.Second
)

// clock compares the server's clock with this machine's, and asks the issuers' which of the two is wrong.
func clock(a answer, said *about) Finding {
	const check = "clock"
	middle := a.sent.Add(a.came.Sub(a.sent) / 2)
	off := said.Time.Sub(middle)
	known := slices.ContainsFunc(said.Issuers, func(i issuer) bool {
		return i.Usable && seconds(i.ClockSkew).Abs() < tolerated/2
	})
	set := "Have it set by NTP: tokens are refused as expired or not yet valid when clocks differ by more than a minute"
	proxy, err := http.ParseTime(a.header.Get("Date"))
	switch {
	case off.Abs() > tolerated && known:
		return look(check, "this machine's is "+apart(-off)+" the server's, which agrees with the issuers'", "Have this machine's clock set by NTP")
	case off.Abs() > tolerated:
		return fail(check, "the server's is "+apart(off)+" this machine's", set)
	case off.Abs() > noticeable:
		return look(check, "the server's is "+apart(off)+" this machine's", set)
	case err == nil && proxy.Sub(said.Time).Abs() > tolerated:
		return look(check, "the proxy's is "+apart(proxy.Sub(said.Time))+" the server's", "Have the proxy's clock set by NTP")
	default:
		return ok(check, "the server's and this machine's agree")
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// apart says how far one clock is from another.
func apart(d time.Duration) string {
	if d < 0 {
		return d.Abs().Round(time.Second).String() + " behind"
	}
	return d.Round(time.Second).String() + " ahead of"
}

// stale is how old keys are that should have been fetched anew several times: the server does so every 15 minutes.
const stale = time.Hour

// issuerKeys judges how the keys of an issuer stand at the server, whose clock says now.
func issuerKeys(is issuer, now time.Time) Finding {
	check := "issuer " + shown(is.Provider)
	name := shown(is.Issuer)
	log := "Let the server reach it by https, through HTTPS_PROXY if need be; its log says why under: issuer keys not fetched"
	skew := seconds(is.ClockSkew)
	switch {
	case !is.Usable && is.Keys == 0:
		return fail(check, "the server has no keys of "+name+", so that none of its tokens can be checked", log)
	case !is.Usable:
		return fail(check, "the server's keys of "+name+" are too old to be used", log)
	case now.Sub(is.FetchedAt) > stale:
		return look(check, fmt.Sprintf("the keys of %s were fetched %s ago; they are used for 24 hours", name, now.Sub(is.FetchedAt).Round(time.Minute)), log)
	case skew.Abs() > tolerated:
		return fail(check, "the clock of "+name+" is "+apart(skew)+" the server's", "Have the server's clock set by NTP: this issuer's tokens are refused as expired or not yet valid")
	default:
		return ok(check, "%s: %d of its keys, fetched %s ago", name, is.Keys, now.Sub(is.FetchedAt).Round(time.Second))
	}
}

// instanceKeys judges how the keys of an instance of sigstore stand at the server, whose clock says now.
func instanceKeys(i instance, now time.Time) Finding {
	check := "sigstore " + shown(i.Name)
	reach := "Let the server reach its TUF repository by https, through HTTPS_PROXY if need be, or give it the keys as a file with --sigstore-root; its log says why under: trusted root"
	switch {
	case !i.Usable:
		return fail(check, "the server has no keys of it, so that none of its attestations can be checked", reach)
	case i.Stale && i.Source == "file":
		return look(check, "the file with its keys cannot be read; those that were read before count on", "Put the file right; the server's log says why under: trusted root")
	case i.Stale && i.CheckedAt.IsZero():
		return look(check, "its newest keys were never to be had; those that the program carries count", reach)
	case i.Stale:
		return look(check, fmt.Sprintf("its newest keys were last to be had %s ago; those count on", now.Sub(i.CheckedAt).Round(time.Hour)), reach)
	default:
		return ok(check, "its keys %s", origin(i, now))
	}
}

// origin is where an instance's keys come from, as the end of a sentence.
func origin(i instance, now time.Time) string {
	switch i.Source {
	case "program":
		return "are those that its program carries"
	case "file":
		return "come from a file, used for " + days(now.Sub(i.UsedAt))
	default:
		return "come from its TUF repository, asked " + now.Sub(i.CheckedAt).Round(time.Second).String() + " ago"
	}
}

func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", d/day)
}
