package trust

import (
	"testing"
	"time"
)

func TestEnds(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	days := func(n int) time.Time { return made.AddDate(0, 0, n) }
	for name, tt := range map[string]struct {
		p    Publisher
		want Ending
	}{
		"never used":                    {Publisher{}, Ending{At: days(30), Notice: days(16), Idle: true}},
		"used":                          {Publisher{LastUsedAt: days(5)}, Ending{At: days(405), Notice: days(391), Idle: true}},
		"switched on since":             {Publisher{LastUsedAt: days(5), Life: Life{EnabledAt: days(9)}}, Ending{At: days(409), Notice: days(395), Idle: true}},
		"used every night":              {Publisher{LastUsedAt: days(5), Life: Life{IdleDays: 4}}, Ending{At: days(9), Notice: days(7), Idle: true}},
		"ends before it is idle":        {Publisher{Life: Life{ExpiresAt: days(20)}}, Ending{At: days(20), Notice: days(6)}},
		"ends at once with being idle":  {Publisher{Life: Life{ExpiresAt: days(30)}}, Ending{At: days(30), Notice: days(16)}},
		"ends after it would be idle":   {Publisher{Life: Life{ExpiresAt: days(31)}}, Ending{At: days(30), Notice: days(16), Idle: true}},
		"ends soon, whatever use there": {Publisher{LastUsedAt: days(5), Life: Life{ExpiresAt: days(7)}}, Ending{At: days(7), Notice: days(-7)}},
	} {
		tt.p.CreatedAt = made
		got := tt.p.Ends()
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		if before, _ := tt.p.End(got.At.Add(-1)); before != "" {
			t.Errorf("%s: off before its end: %s", name, before)
		}
		if after, _ := tt.p.End(got.At); after == "" {
			t.Errorf("%s: on at its end", name)
		}
	}
}
