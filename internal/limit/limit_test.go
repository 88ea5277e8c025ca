package limit

import (
	"strconv"
	"testing"
	"time"
)

func TestTake(t *testing.T) {
	t.Parallel()
	b, now := New(2, time.Minute), time.Unix(1, 0)
	for i := range 2 {
		if wait, _ := b.Take("a", now); wait != 0 {
			t.Errorf("try %d waits %v", i, wait)
		}
	}
	if wait, back := b.Take("a", now); wait != time.Minute || back != nil {
		t.Errorf("one more waits %v, want a minute", wait)
	}
	if wait, _ := b.Take("b", now); wait != 0 {
		t.Errorf("another key waits %v", wait)
	}
	now = now.Add(time.Minute)
	wait, giveBack := b.Take("a", now)
	if wait != 0 {
		t.Fatalf("after the pause it waits %v", wait)
	}
	giveBack()
	if wait, _ := b.Take("a", now); wait != 0 {
		t.Errorf("after one was given back it waits %v", wait)
	}
	if wait, _ := b.Take("a", now); wait != time.Minute {
		t.Errorf("then it waits %v, want a minute", wait)
	}
}

func TestTheLeastRecentIsForgotten(t *testing.T) {
	t.Parallel()
	b := New(1, time.Minute)
	first, second := b.of("first"), b.of("second")
	for i := range maxKeys - 1 {
		b.of(strconv.Itoa(i))
		b.of("first") // stays in use
	}
	if b.of("first") != first {
		t.Error("a key in use was forgotten")
	}
	if b.of("second") == second {
		t.Error("the least recent was kept")
	}
	if len(b.byKey) != maxKeys || b.used.Len() != maxKeys {
		t.Errorf("%d keys are kept, want %d", len(b.byKey), maxKeys)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "::ffff:10.0.0.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
		"2001:db8:1:3::1": "2001:db8:1:3::/64", "": "", "@": "@",
	} {
		if got := Address(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
