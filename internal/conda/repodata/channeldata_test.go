package repodata

import (
	"strings"
	"testing"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
)

func TestChannelDataMember(t *testing.T) {
	t.Parallel()
	linux := subdir(t, "linux-64")
	old := ChannelArtifact{Version: "1.9", TimestampMS: 2_000_999, Subdir: linux, License: "MIT", Traits: conda.Activates | conda.TextPrefix,
		RunExports: conda.RunExports{Weak: []string{"x >=1.9"}},
		About:      artifact.About{Summary: "old", Home: "https://a.b/<old>", Description: "two\nlines", Tags: []string{"t"}}}
	rebuilt := old
	rebuilt.BuildNumber, rebuilt.TimestampMS, rebuilt.RunExports = 1, 3_000_000, conda.RunExports{Strong: []string{"x"}}
	newest := ChannelArtifact{Version: "1.10", TimestampMS: 1_000_000, Subdir: conda.Noarch(), Traits: conda.PostLinks, About: artifact.About{Summary: "new", License: "BSD"}}
	want := `"x":{"activate.d":true,"binary_prefix":false,"deactivate.d":false,"description":"two lines","home":"https://a.b/<old>","license":"BSD",` +
		`"post_link":true,"pre_link":false,"pre_unlink":false,"run_exports":{"1.9":{"strong":["x"]}},"subdirs":["linux-64","noarch"],"summary":"new","tags":["t"],` +
		`"text_prefix":true,"timestamp":3000,"version":"1.10"}`
	for _, all := range [][]ChannelArtifact{{old, rebuilt, newest}, {newest, rebuilt, old}, {rebuilt, newest, old}} {
		if got := string(ChannelDataMember("x", all)); got != want {
			t.Errorf("= %s\nwant %s", got, want)
		}
	}
	want = `"y":{"activate.d":false,"binary_prefix":false,"deactivate.d":false,"post_link":false,"pre_link":false,"pre_unlink":false,` +
		`"run_exports":{},"subdirs":["noarch"],"text_prefix":false,"timestamp":0,"version":"1"}`
	if got := string(ChannelDataMember("y", []ChannelArtifact{{Version: "1", Subdir: conda.Noarch()}})); got != want {
		t.Errorf("= %s\nwant %s", got, want)
	}
}

func TestChannelDataBytes(t *testing.T) {
	t.Parallel()
	m := newMaker()
	for _, tt := range []struct {
		members []string
		want    string
	}{
		{nil, `{"channeldata_version":1,"packages":{},"subdirs":["linux-64","noarch"]}`},
		{[]string{`"a":{}`, `"b":{}`}, `{"channeldata_version":1,"packages":{"a":{},"b":{}},"subdirs":["linux-64","noarch"]}`},
	} {
		var pieces []Piece
		for _, member := range tt.members {
			pieces = append(pieces, m.piece(",", []byte(member)))
		}
		var b strings.Builder
		err := ChannelData(pieces, []conda.Subdir{subdir(t, "linux-64"), conda.Noarch()}).WriteRaw(t.Context(), &b, m)
		if err != nil || b.String() != tt.want {
			t.Errorf("= %s, %v; want %s", b.String(), err, tt.want)
		}
	}
}
