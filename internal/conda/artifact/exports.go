package artifact

import (
	"bytes"

	"sluice/internal/conda"
)

// readRunExports reads info/run_exports.json (CEP 34), which passed checkJSON: an object of lists, or one
// list, which means weak. Keys that are not known are dropped, as rattler does. nil b: nothing.
func readRunExports(e *conda.RunExports, b []byte) (err error) {
	if b == nil {
		return nil
	}
	if bytes.TrimSpace(b)[0] == '[' {
		if e.Weak, err = (object{}).strings("run_exports", b, "a list of strings"); err != nil {
			return err
		}
		return noNUL(e.Weak)
	}
	o, err := parseObject(b)
	if err != nil {
		return err
	}
	for _, l := range []struct {
		key string
		to  *[]string
	}{
		{"weak", &e.Weak}, {"strong", &e.Strong}, {"noarch", &e.Noarch},
		{"weak_constrains", &e.WeakConstrains}, {"strong_constrains", &e.StrongConstrains},
	} {
		if *l.to, err = o.list(l.key); err != nil {
			return err
		}
		if err := noNUL(*l.to); err != nil {
			return err
		}
	}
	return nil
}
