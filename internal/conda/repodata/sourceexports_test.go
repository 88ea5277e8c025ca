package repodata

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
)

// readExports reads a whole run_exports.json: what it says by file, the keys of entries that are bad, and how it ended.
func readExports(text string) (told map[string]conda.RunExports, bad []string, err error) {
	told = map[string]conda.RunExports{}
	for e, oops := range SourceExports(strings.NewReader(text)) {
		if one, ok := errors.AsType[*EntryError](oops); ok {
			bad = append(bad, fmt.Sprintf("%s %s", one.Place, one.Key))
		} else if oops != nil {
			err = oops
		} else {
			told[e.File.String()] = e.RunExports
		}
	}
	return told, bad, err
}

func TestSourceExports(t *testing.T) {
	t.Parallel()
	told, bad, err := readExports(`{"info":{"subdir":"noarch","version":1},"extra":[{}],
"packages":{"x-1-0.tar.bz2":{"run_exports":["x >=1"]},"x-2-0.tar.bz2":{"run_exports":{}},"x-3-0.tar.bz2":{},"x-4-0.tar.bz2":7},
"packages.conda":{"x-5-0.conda":{"run_exports":{"weak":["x >=5"],"strong":["y"],"unknown":[]}},"../x-6-0.conda":{"run_exports":{}},"x-7-0.conda":{"run_exports":{"weak":"a"}}}}`)
	want := map[string]conda.RunExports{
		"x-1-0.tar.bz2": {Weak: []string{"x >=1"}}, "x-2-0.tar.bz2": {}, "x-5-0.conda": {Weak: []string{"x >=5"}, Strong: []string{"y"}},
	}
	if d := gocmp.Diff(want, told); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if d := gocmp.Diff([]string{"packages x-3-0.tar.bz2", "packages x-4-0.tar.bz2", "packages.conda ../x-6-0.conda", "packages.conda x-7-0.conda"}, bad); d != "" {
		t.Errorf("bad entries (-want +got):\n%s", d)
	}
	for _, text := range []string{"", "[]", "<html>", `{"packages":7}`, `{"packages":{"x-1-0.tar.bz2":{"run_exports":{}}}`, `{} {}`} {
		if _, _, err := readExports(text); err == nil {
			t.Errorf("%q was read without an error", text)
		}
	}
	told, _, err = readExports(`{"packages":{"x-1-0.tar.bz2":{"run_exports":{}},"x-2-0.tar.bz2":`)
	if len(told) != 1 || err == nil {
		t.Errorf("of a file that is cut: %v, %v", told, err)
	}
}
