package files

import (
	"strings"
	"testing"

	"sluice/internal/index"
)

func TestParse(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	for _, tt := range []struct {
		path string
		kind kind
		// rest is what else the target says, "channel label subdir index file".
		rest string
	}{
		{"/forge", top, "forge main"},
		{"/forge/", top, "forge main"},
		{"/forge/notices.json", notices, "forge main"},
		{"/forge/noarch/repodata.json", indexFile, "forge main noarch repodata.json"},
		{"/forge/linux-64/repodata.json.zst", indexFile, "forge main linux-64 repodata.json.zst"},
		{"/forge/linux-64/repodata_shards.msgpack.zst", indexFile, "forge main linux-64 repodata_shards.msgpack.zst"},
		{"/forge/noarch/run_exports.json.zst", indexFile, "forge main noarch run_exports.json.zst"},
		{"/forge/noarch/shards/" + hex + ".msgpack.zst", shard, "forge main noarch"},
		{"/forge/noarch/tide-1!2.0+x-0.conda", artifactFile, "forge main noarch tide-1!2.0+x-0.conda"},
		{"/forge/noarch/tide-1.0-0.conda.sigs", sidecar, "forge main noarch tide-1.0-0.conda"},
		{"/forge/noarch/tide-1.0-0.conda.v0.sigs", sidecar, "forge main noarch tide-1.0-0.conda"},
		{"/forge/label/pr/17/noarch/tide-1.0-0.tar.bz2.sigs." + hex, oldSidecar, "forge pr/17 noarch tide-1.0-0.tar.bz2"},
		{"/forge/label/dev/noarch/repodata.json", indexFile, "forge dev noarch repodata.json"},
		{"/forge/label/pr/17/noarch/tide-1.0-0.tar.bz2", artifactFile, "forge pr/17 noarch tide-1.0-0.tar.bz2"},
		{"/forge/label/pr/17/noarch/shards/" + hex + ".msgpack.zst", shard, "forge pr/17 noarch"},
		{"/forge/label/main/notices.json", notices, "forge main"},
		{"/forge/channeldata.json", channelData, "forge main"},
		{"/forge/label/pr/17/channeldata.json", channelData, "forge pr/17"},

		{"/", nothing, ""},
		{"/conda/noarch/repodata.json", nothing, ""},
		{"/Forge/noarch/repodata.json", nothing, ""},
		{"/forge/noarch", nothing, ""},
		{"/forge/channeldata.json/", nothing, ""},
		{"/forge/channeldata.json.zst", nothing, ""},
		{"/forge/noarch/channeldata.json", nothing, ""},
		{"/forge/label/channeldata.json", nothing, ""},
		{"/forge/noarch/", nothing, ""},
		{"/forge/label/dev", nothing, ""},
		{"/forge/label", nothing, ""},
		{"/forge/label/noarch/repodata.json", nothing, ""},
		{"/forge/noarch/repodata.json.bz2", nothing, ""},
		{"/forge/noarch/current_repodata.json", nothing, ""},
		{"/forge/linux 64/repodata.json", nothing, ""},
		{"/forge/noarch/shards/" + strings.ToUpper(hex) + ".msgpack.zst", nothing, ""},
		{"/forge/noarch/shards/" + hex[2:] + ".msgpack.zst", nothing, ""},
		{"/forge/noarch/shards/x", nothing, ""},
		{"/forge/noarch/x/tide-1.0-0.conda", nothing, ""},
		{"/forge/noarch/tide-1.0-0.conda.sigs/", nothing, ""},
		{"/forge/noarch/tide-1.0-0.conda.sigs.", nothing, ""},
		{"/forge/noarch/tide-1.0-0.conda.sigs." + hex[2:], nothing, ""},
		{"/forge/noarch/tide-1.0-0.conda.sigs." + strings.ToUpper(hex), nothing, ""},
		{"/forge/noarch/tide-1.0-0.conda.sigs.sigs", nothing, ""},
		{"/forge/noarch/tide-1.0-0.conda.sig", nothing, ""},
		{"/forge/noarch/repodata.json.sigs", nothing, ""},
	} {
		t.Run(tt.path, func(t *testing.T) {
			got := parse(tt.path)
			rest := strings.Join(strings.Fields(strings.Join([]string{
				got.channel.String(), got.label.String(), got.subdir.String(), string(got.index), got.file.String(),
			}, " ")), " ")
			if got.kind != tt.kind || tt.kind != nothing && rest != tt.rest {
				t.Errorf("= %d %q, want %d %q", got.kind, rest, tt.kind, tt.rest)
			}
		})
	}
}

// Whatever a path holds, what comes out of it can be joined to names unseen: no part of a target holds a
// slash but a label, and the names that lead to files are only those that are known.
func FuzzParse(f *testing.F) {
	f.Add("/forge/label/pr/17/noarch/tide-1.0-0.tar.bz2")
	f.Add("/forge/noarch/repodata.json")
	f.Add("/forge/../noarch/%2e%2e")
	f.Fuzz(func(t *testing.T, path string) {
		got := parse(path)
		if got.kind == nothing {
			return
		}
		for _, part := range []string{got.channel.String(), got.subdir.String(), got.file.String()} {
			if strings.ContainsAny(part, "/\\\x00") || part == ".." || part == "." {
				t.Errorf("%q gave the part %q", path, part)
			}
		}
		if got.kind == indexFile && got.index != index.Name(path[strings.LastIndex(path, "/")+1:]) {
			t.Errorf("%q gave the index file %q", path, got.index)
		}
	})
}
