package publish

import (
	"testing"
	"time"

	"sluice/internal/attest"
	"sluice/internal/fault"
)

// A run attests what it has just built; what others signed may be older, and nothing is signed tomorrow.
func TestSignedInTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name      string
		predicate string
		ago       time.Duration
		byRun     bool
		refused   bool
	}{
		{"just now, by a run", attest.PredicateType, time.Minute, true, false},
		{"a day ago, by a run", attest.PredicateType, 24 * time.Hour, true, false},
		{"longer ago, by a run", attest.PredicateType, 24*time.Hour + time.Second, true, true},
		{"longer ago, by a person", attest.PredicateType, 24*time.Hour + time.Second, false, false},
		{"longer ago, another statement", "https://slsa.dev/provenance/v1", 24*time.Hour + time.Second, true, false},
		{"by a clock that is ahead", attest.PredicateType, -5 * time.Minute, false, false},
		{"in time to come", attest.PredicateType, -5*time.Minute - time.Second, false, true},
	} {
		v := attest.Verdict{Predicate: tt.predicate, Times: []time.Time{now.Add(-tt.ago)}}
		if err := signedInTime(v, now, tt.byRun); tt.refused != (fault.CodeOf(err) == fault.TimeUnproven) || !tt.refused && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
