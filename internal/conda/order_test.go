package conda_test

import (
	"cmp"
	"testing"

	"sluice/internal/conda"
)

func TestRecordOrder(t *testing.T) {
	t.Parallel()
	// From worst to best, each better by one thing.
	ordered := []conda.Record{
		{Version: "9", BuildNumber: 9, TimestampMS: 9, TrackFeatures: "x"},
		{Version: "10", TrackFeatures: "x"},
		{Version: "1.0rc1", BuildNumber: 5},
		{Version: "1.0", BuildNumber: 1, TimestampMS: 5},
		{Version: "1.0", BuildNumber: 2},
		{Version: "1.0", BuildNumber: 2, TimestampMS: 4},
		{Version: "1.0", BuildNumber: 2, TimestampMS: 4, Build: "b"},
		{Version: "1.0.0", BuildNumber: 1},
		{Version: "1.1"},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := a.Compare(b); got != cmp.Compare(i, j) {
				t.Errorf("%+v against %+v = %d, want %d", a, b, got, cmp.Compare(i, j))
			}
		}
	}
}
