package page

import (
	"slices"
	"testing"
)

func typed(lines []line) []string {
	var list []string
	for _, l := range lines {
		list = append(list, read(l.spans))
	}
	return list
}

func TestClients(t *testing.T) {
	t.Parallel()
	f := frame("")
	f.URL = "http://127.0.0.1:8080"
	got := Install{Channel: "forge", Package: "ripgrep", Version: "1!15", Private: true}.clients(f)
	want := map[string][]string{
		"pixi": {"pixi auth login 127.0.0.1 --token TOKEN",
			"pixi workspace channel add http://127.0.0.1:8080/forge", "pixi add 'ripgrep==1!15'"},
		"micromamba": {"micromamba auth login http://127.0.0.1:8080 --bearer TOKEN",
			"micromamba install -c http://127.0.0.1:8080/forge -c conda-forge 'ripgrep==1!15'"},
		"conda": {"machine 127.0.0.1 login token password TOKEN",
			"conda install -c http://127.0.0.1:8080/forge -c conda-forge 'ripgrep==1!15'"},
	}
	for _, c := range got {
		if all := slices.Concat(typed(c.signIn), typed(c.lines)); !slices.Equal(all, want[c.name]) {
			t.Errorf("%s = %q, want %q", c.name, all, want[c.name])
		}
	}
	if public := (Install{Channel: "forge"}).clients(f); public[0].signIn != nil || read(public[0].lines[1].spans) != "pixi add PACKAGE" {
		t.Errorf("a public channel without packages says %q", typed(public[0].lines))
	}
}
