package repodata

import (
	"errors"
	"iter"
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

func TestWriteChannelData(t *testing.T) {
	t.Parallel()
	members := func(ms ...string) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for _, m := range ms {
				if m == "" && !yield(nil, errors.New("no more")) || m != "" && !yield([]byte(m), nil) {
					return
				}
			}
		}
	}
	for _, tt := range []struct {
		members iter.Seq2[[]byte, error]
		want    string
	}{
		{members(), `{"channeldata_version":1,"packages":{},"subdirs":["linux-64","noarch"]}`},
		{members(`"a":{}`, `"b":{}`), `{"channeldata_version":1,"packages":{"a":{},"b":{}},"subdirs":["linux-64","noarch"]}`},
	} {
		var b strings.Builder
		err := WriteChannelData(&b, tt.members, []conda.Subdir{subdir(t, "linux-64"), conda.Noarch()})
		if err != nil || b.String() != tt.want {
			t.Errorf("= %s, %v; want %s", b.String(), err, tt.want)
		}
	}
	if err := WriteChannelData(&strings.Builder{}, members(`"a":{}`, "", `"b":{}`), nil); err == nil || !strings.Contains(err.Error(), "no more") {
		t.Errorf("an error among the members: %v", err)
	}
	if err := WriteChannelData(broken{}, members(`"a":{}`), nil); err == nil {
		t.Error("a writer that fails was not told of")
	}
}

// broken is a writer that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }
