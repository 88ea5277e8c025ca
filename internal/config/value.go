package config

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
)

// Secret is a setting that must not be shown. It prints as "(secret)", or as nothing when it is empty.
type Secret string

// Reveal returns the setting itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the setting.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString keeps %#v from showing the setting.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue keeps loggers from showing the setting.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps encoders from showing the setting.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Bytes is a number of bytes that people write as 512MiB or 5GiB.
type Bytes int64

var units = []struct {
	name string
	size Bytes
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1},
}

// ParseBytes takes a whole number with or without a unit: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB.
// Letters alone (5G) are refused, for people differ on what they mean.
func ParseBytes(s string) (Bytes, error) {
	digits := strings.TrimRight(s, "BKMGTikb ")
	unit := strings.TrimSpace(s[len(digits):])
	n, err := strconv.ParseInt(digits, 10, 64)
	for _, u := range units {
		if err == nil && n >= 0 && unit == u.name && n <= math.MaxInt64/int64(u.size) {
			return Bytes(n) * u.size, nil
		}
	}
	return 0, fmt.Errorf("%q is not a size: write it like 512MiB, 5GiB or 1048576", s)
}

// String writes b in the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range units[:4] {
		if b >= u.size && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}
