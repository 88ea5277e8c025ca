package artifact

import (
	"context"
	"errors"
	"io"
	"strings"

	"sluice/internal/conda"
)

// How the files of the two formats begin.
const (
	zipMagic   = "PK\x03\x04"
	bzip2Magic = "BZh"
)

// Identify tells under which file name the package in the first size bytes of r was built, by its own word: for bytes of
// which nothing else is known. Read under that name says whether it is a package. Errors are those of Read.
func Identify(ctx context.Context, r io.ReaderAt, size int64, lim Limits) (conda.Filename, error) {
	src := newSource(ctx, r, size, lim)
	name, err := builtAs(src, lim)
	if src.err != nil { // before err: a decoder may have dressed it up as a broken file
		return conda.Filename{}, src.err
	} else if err != nil {
		return conda.Filename{}, err
	}
	f, err := conda.ParseFilename(name)
	if err != nil {
		return f, bad("the package has no name that a file can have: %s", err)
	}
	return f, nil
}

func builtAs(src *source, lim Limits) (string, error) {
	magic := make([]byte, min(src.size, int64(len(zipMagic))))
	if _, err := io.ReadFull(src.section(0, int64(len(magic))), magic); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	switch begin := string(magic); {
	case begin == zipMagic:
		return condaName(src)
	case strings.HasPrefix(begin, bzip2Magic):
		return tarName(src, lim)
	}
	return "", bad("the bytes are no package")
}

// condaName is in the names of a ZIP's members.
func condaName(src *source) (string, error) {
	members, err := openZip(src, 2)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if stem, ok := strings.CutPrefix(m.name, "info-"); ok && strings.HasSuffix(stem, ".tar.zst") {
			return strings.TrimSuffix(stem, ".tar.zst") + conda.ExtConda, nil
		}
	}
	return "", bad("the ZIP holds no info; %s", threeMembers)
}

// tarName is in info/index.json.
func tarName(src *source, lim Limits) (string, error) {
	found := &contents{lim: lim}
	if err := readTarBz2(src, conda.Filename{}, lim, found); err != nil {
		return "", err
	}
	if found.index == nil {
		return "", noIndex()
	}
	o, err := parseObject(found.index)
	if err != nil {
		return "", within("info/index.json", err)
	}
	parts := make([]string, 3)
	for i, key := range []string{"name", "version", "build"} {
		if parts[i], err = o.text(key); err != nil {
			return "", within("info/index.json", err)
		}
	}
	return strings.Join(parts, "-") + conda.ExtTarBz2, nil
}
