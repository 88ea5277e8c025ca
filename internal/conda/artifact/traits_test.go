package artifact_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/conda"
)

func TestTraits(t *testing.T) {
	t.Parallel()
	entry := func(fields string) string {
		return `{"other":[{"_path":"etc/conda/activate.d/a"}],"paths":[{` + fields + `}]}`
	}
	for _, tt := range []struct {
		in   string
		want conda.Traits
	}{
		{`{"paths":[]}`, 0},
		{entry(`"_path":"etc/conda/activate.d/a.sh"`), conda.Activates},
		{entry(`"_path":"etc/conda/deactivate.d/a.sh"`), conda.Deactivates},
		{entry(`"_path":"share/etc/conda/activate.d/a.sh"`), 0},
		{entry(`"_path":"bin/.x-pre-link.sh"`), conda.PreLinks},
		{entry(`"_path":"Scripts/.x-post-link.bat"`), conda.PostLinks},
		{entry(`"_path":"a/b/.x-y-pre-unlink.sh"`), conda.PreUnlinks},
		{entry(`"_path":"bin/x-post-link.sh"`), 0},
		{entry(`"_path":".x-post-link.sh"`), 0},
		{entry(`"_path":"bin/.x-post-link"`), 0},
		{entry(`"_path":"a","prefix_placeholder":"/opt/x","file_mode":"binary"`), conda.BinaryPrefix},
		{entry(`"file_mode":"text","_path":"a","prefix_placeholder":"/opt/x"`), conda.TextPrefix},
		{entry(`"_path":"a","prefix_placeholder":"/opt/x"`), 0},
		{entry(`"_path":"a","prefix_placeholder":"","file_mode":"text"`), 0},
		{entry(`"_path":"a","prefix_placeholder":null,"file_mode":"text"`), 0},
		{entry(`"_path":"a","file_mode":"text"},{"_path":"b","prefix_placeholder":"/opt/x"`), 0},
		{entry(`"_path":"a","deeper":{"_path":"bin/.x-pre-link.sh"}`), 0},
		{entry(`"_path":"bin/.x-pre-link.sh"},{"_path":"etc/conda/activate.d/x","prefix_placeholder":"/p","file_mode":"text"`),
			conda.PreLinks | conda.Activates | conda.TextPrefix},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			// What stands for paths.json in old packages is not asked where there is one.
			got, err := read(t, bz2(tarOf(tarFile{path: "info/files", data: "etc/conda/deactivate.d/old.sh"},
				tarFile{path: "info/paths.json", data: tt.in}, good())), stem+".tar.bz2", limits())
			if err != nil || got.Traits != tt.want {
				t.Errorf("= %+v, %v; want %b", got, err, tt.want)
			}
		})
	}
}

func TestTraitsOfOldPackages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		files, prefixes string
		want            conda.Traits
	}{
		{"bin/x\n", "", 0},
		{"bin/x\nbin/.x-post-link.sh\r\netc/conda/activate.d/x.sh", "", conda.PostLinks | conda.Activates},
		{"bin/x\n", "bin/x\n", conda.TextPrefix},
		{"bin/x\n", "/opt/p binary bin/x\n", conda.BinaryPrefix},
		{"bin/x\n", `"/opt/p" text "bin/x"` + "\n\n/opt/p binary bin/y", conda.TextPrefix | conda.BinaryPrefix},
		{"bin/x\n", `"bin/a name of blanks"`, conda.TextPrefix},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			t.Parallel()
			got, err := read(t, bz2(tarOf(tarFile{path: "info/files", data: tt.files},
				tarFile{path: "info/has_prefix", data: tt.prefixes}, good())), stem+".tar.bz2", limits())
			if err != nil || got.Traits != tt.want {
				t.Errorf("= %+v, %v; want %b", got, err, tt.want)
			}
		})
	}
	check(t, bz2(tarOf(tarFile{path: "info/files", data: strings.Repeat("x", 1<<17)}, good())), stem+".tar.bz2", "info/files: it has a line of more than 65536 bytes")
}
