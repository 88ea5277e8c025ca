package web

import (
	"strconv"
	"testing"
	"time"
)

func TestTriesOfManyNamesFromOneAddress(t *testing.T) {
	t.Parallel()
	tries, now := newTries(), time.Unix(1, 0)
	for i := range perAddress {
		if wait, _ := tries.take("10.0.0.1", strconv.Itoa(i), now); wait != 0 {
			t.Fatalf("try %d waits %v", i, wait)
		}
	}
	if wait, _ := tries.take("10.0.0.1", "new", now); wait != everyAddress {
		t.Errorf("one more waits %v, want %v", wait, everyAddress)
	}
	if wait, _ := tries.take("10.0.0.2", "new", now); wait != 0 {
		t.Errorf("another address waits %v", wait)
	}
	if wait, _ := tries.take("10.0.0.1", "new", now.Add(everyAddress)); wait != 0 {
		t.Errorf("after the pause it waits %v", wait)
	}
}
