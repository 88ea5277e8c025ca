package attest

import (
	"os"
	"testing"
	"testing/synctest"
)

// As many bundles are verified at once as there are cores; the others wait for them.
func TestCores(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/signed-package-2.1.0-hb0f4dca_0.sigstore.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := PublicGoodProfile()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := NewChecker(p)
		for range cap(c.live.cores) {
			c.live.cores <- struct{}{}
		}
		done := false
		go func() {
			_, _ = c.Only(p.Name).Check(raw, Subject{}) // what it says is no matter
			done = true
		}()
		synctest.Wait()
		if done {
			t.Error("there were more than there are cores")
		}
		<-c.live.cores
		synctest.Wait()
		if !done || len(c.live.cores) != cap(c.live.cores)-1 {
			t.Errorf("it is done: %v; %d cores of %d are taken", done, len(c.live.cores), cap(c.live.cores))
		}
	})
}
