// Package internal_test holds what is true of all rooms together.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers are the rooms from the leaves up. A package imports only packages of lower layers, or of its own
// line where a line is one room with its parts. ARCHITECTURE.md says what each is for.
var layers = [][]string{
	{"fault", "token", "conda", "limit", "mail/address"},
	{"config", "blob", "datadir", "audit", "strictjson"},
	{"attest"},
	{"channel", "account", "revoke", "mail"},
	{"trust"},
	{"catalog", "access"},
	{"index"},
	{"publish", "curate"},
	{"importing", "exporting", "check"},
	{"verify"},
	{"db"},
	{"server/gate"},
	{"server/reply", "server/caller"},
	{"server/upload", "server/oauth", "server/files", "server/api", "server/web"},
	{"server"},
	{"remote"},
	{"standin", "cijob"},
	{"doctor"},
	{"servertest"},
	{"cli"},
}

// alone are packages that import nothing of ours but their own parts.
var alone = []string{"conda", "token", "fault", "limit", "cijob", "mail/address"}

// layerOf is the number of the room that a package belongs to, and the room.
func layerOf(pkg string) (layer int, room string) {
	layer = -1
	for i, rooms := range layers {
		for _, r := range rooms {
			if (pkg == r || strings.HasPrefix(pkg, r+"/")) && len(r) > len(room) {
				layer, room = i, r
			}
		}
	}
	return layer, room
}

func TestImportsGoOneWay(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "sluice/internal/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimPrefix(p.ImportPath, "sluice/internal/")
		if pkg == p.ImportPath {
			continue // this test's own package
		}
		at, room := layerOf(pkg)
		if at < 0 {
			t.Errorf("%s is in no layer: say where it belongs", pkg)
		}
		for _, i := range p.Imports {
			other, ours := strings.CutPrefix(i, "sluice/internal/")
			below, of := layerOf(other)
			if !ours || of == room {
				continue
			}
			if below >= at || slices.Contains(alone, room) {
				t.Errorf("%s imports %s, which is not below it", pkg, other)
			}
		}
	}
}
