package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/test/clients"
)

// TestRecordsThatEncodersMeetSeldom publishes records that repeat themselves at every short distance, that repeat one
// another, that repeat nothing, and that are very large: what a compressed piece refers to must lie in that piece, and
// only data like this shows where it does not. zstd itself and every reader of ours must decode what they became.
func TestRecordsThatEncodersMeetSeldom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	all := adversarial(t)
	w.fill(t, w.forge, all...)

	base := "/forge/noarch/"
	paths := []string{base + "repodata.json.zst", base + "run_exports.json.zst", base + "repodata_shards.msgpack.zst"}
	for _, sum := range unpack(t, w.must(t, paths[2]))["shards"].(map[string]any) {
		paths = append(paths, fmt.Sprintf("%sshards/%s.msgpack.zst", base, sum))
	}
	zstdTests(t, paths, func(path string) []byte { return w.must(t, path) })
	var flat struct {
		Packages map[string]struct{ Constrains []string }
	}
	if err := json.Unmarshal(inflate(t, w.must(t, paths[0])), &flat); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		own := readParcel(t, p).Record.Constrains
		if got := flat.Packages[p.file].Constrains; strings.Join(got, "\n") != strings.Join(own, "\n") {
			t.Errorf("%s: constrains of %d entries are not the package's %d", p.file, len(got), len(own))
		}
	}
	for _, via := range []string{"shards", "zst", "json"} {
		t.Run("read via "+via, func(t *testing.T) { w.wantAllRead(t, via, all) })
	}
	t.Run("decoded as conda does", func(t *testing.T) {
		for _, path := range paths[:3] {
			clients.NewUser(t).Drive(t, "decode.py", w.URL+path).Into(t, &struct{}{})
		}
	})
}

// adversarial are packages of which each has a record of another kind, in an order that mixes the kinds.
func adversarial(t *testing.T) []parcel {
	t.Helper()
	rnd := rand.New(rand.NewPCG(7, 11))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[rnd.IntN(36)]
		}
		return string(b)
	}
	shared := letters(3000)
	specs := func(n int, spec func(i int) string) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = spec(i)
		}
		return out
	}
	var records [][]string
	for _, period := range []int{1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 64, 255, 256, 1000} { // 1, 4 and 8 are what a frame begins with
		for _, size := range []int{90, 5_000, 60_000} {
			records = append(records, []string{strings.Repeat(letters(period), size/period+1)})
		}
	}
	for range 30 {
		records = append(records, []string{shared[:2000+rnd.IntN(1000)]}, []string{letters(10 + rnd.IntN(4000))})
	}
	records = append(records,
		specs(8_000, func(int) string { return "rival-" + letters(32) + " >=1.0,<2" }), // 400 KiB that do not compress
		specs(20_000, func(int) string { return "rival >=1.0,<2.0" }),                  // 400 KiB that do
		specs(3_000, func(i int) string { return fmt.Sprintf("rival-%d >=%d.0a0", i/100, i) }),
	)
	rnd.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	var parcels []parcel
	for i, constrains := range records {
		parcels = append(parcels, pack(t, build.Package{
			Name: fmt.Sprintf("a%03d", i), Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Constrains: constrains,
			RunExports: conda.RunExports{Weak: constrains[:1]},
		}, conda.ExtTarBz2))
	}
	return parcels
}
