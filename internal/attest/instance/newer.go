package instance

import (
	"encoding/json"
	"time"
)

// newer reports whether trusted root a is newer than b. A trusted root has no version, and names the time at which each of
// its keys began or ended: where a names a later one than all of b, it was made later.
func newer(a, b []byte) bool { return latest(a).After(latest(b)) }

// latest is the latest time at which a key of a trusted root begins or ends; the zero time where none can be read.
func latest(root []byte) (t time.Time) {
	type period struct{ Start, End time.Time }
	type log struct{ PublicKey struct{ ValidFor period } }
	type authority struct{ ValidFor period }
	var r struct {
		TLogs, CTLogs                                []log
		CertificateAuthorities, TimestampAuthorities []authority
	}
	if err := json.Unmarshal(root, &r); err != nil {
		return time.Time{}
	}
	var all []period
	for _, logs := range [][]log{r.TLogs, r.CTLogs} {
		for _, l := range logs {
			all = append(all, l.PublicKey.ValidFor)
		}
	}
	for _, authorities := range [][]authority{r.CertificateAuthorities, r.TimestampAuthorities} {
		for _, a := range authorities {
			all = append(all, a.ValidFor)
		}
	}
	for _, p := range all {
		for _, at := range []time.Time{p.Start, p.End} {
			if at.After(t) {
				t = at
			}
		}
	}
	return t
}
