package build

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda/build/bzip2"
)

// WriteConda writes the package to w as a .conda file (CEP 35): a ZIP of three stored members, info last,
// where clients find it in the tail of the file. A stored member's size and sum stand before its bytes,
// so each member is made twice, once to measure it; nothing is held in memory.
func (p Package) WriteConda(w io.Writer) error {
	payload, info, err := p.trees()
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, m := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"metadata.json", writeMetadata},
		{"pkg-" + p.Stem() + ".tar.zst", zstdTar(p.modTime(), payload)},
		{"info-" + p.Stem() + ".tar.zst", zstdTar(p.modTime(), info)},
	} {
		if err := addStored(z, m.name, m.write); err != nil {
			return fmt.Errorf("member %s: %w", m.name, err)
		}
	}
	return z.Close()
}

// WriteTarBz2 writes the package to w as a .tar.bz2 file (CEP 35), info/ first.
func (p Package) WriteTarBz2(w io.Writer) error {
	payload, info, err := p.trees()
	if err != nil {
		return err
	}
	z := bzip2.NewWriter(w)
	if err := writeTar(z, p.modTime(), append(info, payload...)); err != nil {
		return err
	}
	return z.Close()
}

func writeMetadata(w io.Writer) error {
	_, err := io.WriteString(w, `{"conda_pkg_format_version": 2}`)
	return err
}

// addStored adds an uncompressed member with its size and sum in the header, where streaming readers
// look for them.
func addStored(z *zip.Writer, name string, write func(io.Writer) error) error {
	sum, size := crc32.NewIEEE(), counter(0)
	if err := write(io.MultiWriter(sum, &size)); err != nil {
		return err
	}
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: sum.Sum32(),
		CompressedSize64: uint64(size), UncompressedSize64: uint64(size),
	})
	if err != nil {
		return err
	}
	return write(w)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// zstdTar returns a function that writes the files as a tar in one zstd frame.
func zstdTar(modTime time.Time, files []file) func(io.Writer) error {
	return func(w io.Writer) error {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		if err := writeTar(z, modTime, files); err != nil {
			return err
		}
		return z.Close()
	}
}

func writeTar(w io.Writer, modTime time.Time, files []file) error {
	t := tar.NewWriter(w)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: f.size, ModTime: modTime}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("tar header of %s: %w", f.path, err)
		}
		if _, err := io.Copy(t, f.open()); err != nil {
			return fmt.Errorf("tar entry %s: %w", f.path, err)
		}
	}
	return t.Close()
}

// modTime is the time of every file: the build's, or a fixed one, so that the same input gives the same
// bytes. Whole seconds fit the plainest tar header.
func (p Package) modTime() time.Time {
	return time.Unix(cmp.Or(p.TimestampMS/1000, 1_600_000_000), 0).UTC()
}
