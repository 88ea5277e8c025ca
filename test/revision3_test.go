package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/test/clients"
)

// TestRevision3AndRemoved reads a subdir that has all that may stand in an index: records that every client reads, in
// both formats, such as need revision 3 (CEP 48), and the name of a file that is yanked.
func TestRevision3AndRemoved(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		plain := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic"}
		newer, gone := plain, plain
		newer.Version, newer.Depends = "2.0", []string{`ebb[when="python >=3.10"]`}
		gone.Version = "1.1"
		w.fill(t, w.forge, pack(t, plain, conda.ExtConda), pack(t, plain, conda.ExtTarBz2), pack(t, newer, conda.ExtConda), pack(t, newer, conda.ExtTarBz2),
			pack(t, gone, conda.ExtConda))
		file, err := conda.ParseFilename("tide-1.1-0.conda")
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&curate.Curator{Store: w.DB}).Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge,
			curate.Selection{Files: []curate.Key{{Subdir: conda.Noarch(), File: file}}}, curate.Change{Kind: curate.Yank, Reason: "wrong"})
		if err != nil {
			t.Fatal(err)
		}
		u, url := clients.NewUser(t), w.channelURL(w.forge)
		for _, via := range []string{"zst", "json", "shards"} {
			var got struct{ Records, Removed map[string]any }
			u.Drive(t, "read.py", "query", "--channel", url, "--via", via, "--platform", "noarch", "--spec", "tide").Into(t, &got)
			builds := map[string]bool{} // of one in both formats, rattler shows one or both
			for address := range got.Records {
				builds[stem(address[strings.LastIndex(address, "/")+1:])] = true
			}
			if diff := cmp.Diff(map[string]bool{"tide-1.0-0": true, "tide-2.0-0": true}, builds); diff != "" {
				t.Errorf("py-rattler via %s (-want +got):\n%s", via, diff)
			}
			if removed := fmt.Sprint(slices.Sorted(maps.Keys(got.Removed))); !strings.Contains(removed, "tide-1.1-0.conda") || len(got.Removed) != 1 {
				t.Errorf("py-rattler via %s: removed %s", via, removed)
			}
		}
		for _, name := range []string{"repodata.json.zst", "repodata.json"} {
			var got struct {
				Content struct {
					Info struct {
						Revisions map[string]map[string]int `json:"repodata_revisions"`
					}
					Packages      map[string]any
					PackagesConda map[string]any `json:"packages.conda"`
					V3            map[string]map[string]any
					Removed       []string
				}
			}
			u.Drive(t, "decode.py", url+"/noarch/"+name).Into(t, &got)
			c := got.Content
			var keys []string
			for _, m := range []map[string]any{c.Packages, c.PackagesConda, c.V3["conda"], c.V3["tar.bz2"]} {
				keys = append(keys, strings.Join(slices.Sorted(maps.Keys(m)), " "))
			}
			want := []string{"tide-1.0-0.tar.bz2", "tide-1.0-0.conda", "tide-2.0-0", "tide-2.0-0"}
			if diff := cmp.Diff(want, keys); diff != "" || !slices.Equal(c.Removed, []string{"tide-1.1-0.conda"}) || c.Info.Revisions["v3"]["n_packages"] != 2 {
				t.Errorf("%s: removed %q, revisions %v, (-want +got):\n%s", name, c.Removed, c.Info.Revisions, diff)
			}
		}
		var shards struct {
			Content struct {
				Info struct {
					Revisions map[string]map[string]int `json:"repodata_revisions"`
				}
			}
		}
		u.Drive(t, "decode.py", url+"/noarch/repodata_shards.msgpack.zst").Into(t, &shards)
		if shards.Content.Info.Revisions["v3"]["n_packages"] != 2 {
			t.Errorf("the shard index announces %v", shards.Content.Info.Revisions)
		}
	})
}
