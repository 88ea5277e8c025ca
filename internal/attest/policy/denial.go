package policy

import (
	"strconv"
	"strings"
	"time"

	"sluice/internal/attest"
	"sluice/internal/fault"
)

// Denial names signatures that count for nothing, since sigstore itself takes none back. All that is said of them must
// agree; at least one of Identity, RepositoryID, Run, Serial and LogID is said.
type Denial struct {
	// Identity is what the signer's identity begins with.
	Identity string `json:"identity,omitempty"`
	// RepositoryID is that of the signer's repository, at Issuer.
	RepositoryID string `json:"repository_id,omitempty"`
	Issuer       string `json:"issuer,omitempty"`
	// Run is the address of a run; without its attempt, all of them.
	Run string `json:"run,omitempty"`
	// Serial is a certificate's serial number, in hex.
	Serial string `json:"certificate_serial,omitempty"`
	// LogID is a transparency log's key id, in hex; LogFrom and LogTo are the first and last entry of it that are meant,
	// LogTo 0: no last.
	LogID   string `json:"log_id,omitempty"`
	LogFrom int64  `json:"log_from,omitempty"`
	LogTo   int64  `json:"log_to,omitempty"`
	// From and Until are between which times it was signed; zero: at any.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Why is for people.
	Why string `json:"why"`
}

// maxDenialText bounds each text of a denial, in bytes.
const maxDenialText = 500

func (d Denial) check() error {
	bad := func(format string, args ...any) error {
		return fault.New(fault.InvalidField, "denied: "+format, args...)
	}
	for _, s := range []string{d.Identity, d.RepositoryID, d.Issuer, d.Run, d.Serial, d.LogID, d.Why} {
		if len(s) > maxDenialText {
			return bad("a text has at most %d bytes", maxDenialText)
		}
	}
	switch {
	case d.Identity == "" && d.RepositoryID == "" && d.Run == "" && d.Serial == "" && d.LogID == "":
		return bad("say whose signatures: identity, repository_id, run, certificate_serial or log_id")
	case d.RepositoryID != "" && d.Issuer == "":
		return bad("a repository_id belongs to an issuer, and needs one")
	case strings.Trim(d.Serial+d.LogID, "0123456789abcdef") != "":
		return bad("certificate_serial and log_id are small hexadecimal digits")
	case d.LogFrom < 0 || d.LogTo < 0 || d.LogTo > 0 && d.LogTo < d.LogFrom || (d.LogFrom > 0 || d.LogTo > 0) && d.LogID == "":
		return bad("log_from and log_to are entries of the log of log_id, the first and the last")
	case !d.Until.IsZero() && d.Until.Before(d.From):
		return bad("until is before from")
	}
	return nil
}

// Means reports whether a signature is denied. The zero Denial means none.
func (d Denial) Means(v attest.Verdict) bool {
	if d.check() != nil {
		return false
	}
	at := v.SignedAt()
	return (d.Identity == "" || strings.HasPrefix(v.Signer.Identity, d.Identity)) &&
		(d.RepositoryID == "" || v.Signer.RepositoryID == d.RepositoryID) &&
		(d.Issuer == "" || v.Signer.Issuer == d.Issuer) &&
		(d.Run == "" || v.Signer.Run == d.Run || strings.HasPrefix(v.Signer.Run, d.Run+"/attempts/")) &&
		(d.Serial == "" || v.Serial == d.Serial) &&
		(d.LogID == "" || d.entry(v.Log)) &&
		(d.From.IsZero() || !at.Before(d.From)) &&
		(d.Until.IsZero() || !at.After(d.Until))
}

// Equal reports whether two denials say the same, in whatever zones their times are written.
func (d Denial) Equal(e Denial) bool {
	same := d.From.Equal(e.From) && d.Until.Equal(e.Until)
	d.From, d.Until, e.From, e.Until = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return same && d == e
}

// entry reports whether a log's entry is one of those that are meant. One whose place nothing proves may be: else whoever
// takes the proof out of a bundle would get around the denial.
func (d Denial) entry(e attest.LogEntry) bool {
	index, err := strconv.ParseInt(e.Index, 10, 64)
	return e.LogID == d.LogID && (err != nil || index >= d.LogFrom && (d.LogTo == 0 || index <= d.LogTo))
}

// String is the reason, on one line.
func (d Denial) String() string {
	if d.Why == "" {
		return "no reason was given"
	}
	return fault.OneLine(d.Why, 200)
}
