package conda_test

import (
	"testing"

	"sluice/internal/conda"
)

func TestNeedsV3(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]bool{
		`pkg[when="python>=3.10 and __unix"]`:  true,
		`pkg[extras=["a","b"]]`:                true,
		`pkg[flags=["cuda","blas:*"]]`:         true,
		`pkg[version=">=2",when="x]"]`:         true,
		`pkg >=1 [ when = "x" ]`:               true,
		`pkg[extras=[a,b],build=0]`:            true,
		`pkg`:                                  false,
		`pkg >=1,<2 *_cpu`:                     false,
		`pkg[version=">=2",build="when=[x]"]`:  false,
		`pkg[version=">=2"]`:                   false,
		`conda-forge::pkg[build_number='1,2']`: false,
		`pkg[]`:                                false,
		`pkg[`:                                 false,
		``:                                     false,
	} {
		if got := (conda.Record{Depends: []string{"a", spec}}).NeedsV3(); got != want {
			t.Errorf("depends on %s: NeedsV3 = %v, want %v", spec, got, want)
		}
		if got := (conda.Record{Constrains: []string{spec}}).NeedsV3(); got != want {
			t.Errorf("constrains %s: NeedsV3 = %v, want %v", spec, got, want)
		}
	}
	if !(conda.Record{Flags: []string{"cuda"}}).NeedsV3() || !(conda.Record{ExtraDepends: map[string][]string{"a": nil}}).NeedsV3() {
		t.Error("flags or extras alone do not need v3")
	}
}

func TestCheckV3(t *testing.T) {
	t.Parallel()
	for spec, wantErr := range map[string]string{
		`pkg`:                               "",
		`pkg[version=">=2,<3",when="a[b]"]`: "",
		`pkg[extras=["a","b"],flags=[x]]`:   "",
		`pkg >=2`:                           "is not in the form",
		`ch::pkg`:                           "is not in the form",
		`pkg [version="1"]`:                 "is not in the form",
		``:                                  "is not in the form",
		`pkg[]`:                             "brackets that cannot be read",
		`pkg[version="1"`:                   "brackets that cannot be read",
		`pkg[version="1"] x`:                "brackets that cannot be read",
		`pkg[version="1"] `:                 "brackets that cannot be read",
		`pkg[version="1]`:                   "brackets that cannot be read",
		`pkg[md5="0"]`:                      `the key "md5"`,
	} {
		for _, r := range []conda.Record{
			{Depends: []string{spec}}, {Constrains: []string{"a", spec}}, {ExtraDepends: map[string][]string{"g": {spec}}},
		} {
			err := r.CheckV3()
			if wantErr == "" && err != nil {
				t.Errorf("%s: %v", spec, err)
			} else if wantErr != "" {
				wantSyntax(t, err, "dependency", wantErr)
			}
		}
	}
}

func TestRunExportsIsZero(t *testing.T) {
	t.Parallel()
	if !(conda.RunExports{Weak: []string{}}).IsZero() || (conda.RunExports{StrongConstrains: []string{"a"}}).IsZero() {
		t.Error("IsZero is wrong")
	}
}
