package artifact

import (
	"bytes"

	"sluice/internal/conda"
)

// ParseRunExports reads raw, an info/run_exports.json or what another channel's index has of it, just as Read
// does. Every error is a *FormatError.
func ParseRunExports(raw []byte) (e conda.RunExports, err error) {
	if err := checkJSON(raw, true); err != nil {
		return e, err
	}
	err = readRunExports(&e, raw)
	return e, err
}

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
