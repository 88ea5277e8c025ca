package load

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
)

// widest is the largest zstd window that clients take, and the package writers' level 22 asks for.
const widest = 128 << 20

// widen writes the package anew with that window.
func widen(t *testing.T, p pkg) pkg {
	t.Helper()
	z, err := zip.OpenReader(p.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	p.path = filepath.Join(t.TempDir(), "package")
	f, err := os.Create(p.path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	w := zip.NewWriter(io.MultiWriter(f, sum))
	for _, m := range z.File {
		if err := copyWide(w, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	p.size = info.Size()
	sum.Sum(p.sum[:0])
	return p
}

// copyWide copies a member; the one with the files to install gets the wide window.
func copyWide(w *zip.Writer, m *zip.File) error {
	r, err := m.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	var b bytes.Buffer
	if strings.HasPrefix(m.Name, "pkg-") {
		err = recompress(&b, r)
	} else {
		_, err = b.ReadFrom(r)
	}
	if err != nil {
		return err
	}
	out, err := w.CreateRaw(&zip.FileHeader{
		Name: m.Name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(b.Bytes()), CompressedSize64: uint64(b.Len()), UncompressedSize64: uint64(b.Len()),
	})
	if err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return err
}

func recompress(w io.Writer, r io.Reader) error {
	dec, err := zstd.NewReader(r)
	if err != nil {
		return err
	}
	defer dec.Close()
	enc, err := zstd.NewWriter(w, zstd.WithWindowSize(widest), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	_, err = io.Copy(enc, dec)
	return errors.Join(err, enc.Close())
}

// A package may ask for 128 MiB to be unpacked. Several at once must not ask for several times that.
func TestLargeWindowsAtOnce(t *testing.T) {
	needLarge(t)
	s := start(t)
	var packages []pkg
	for i := range 4 {
		packages = append(packages, widen(t, write(t, fmt.Sprintf("tide%d", i), conda.ExtConda, 150<<20)))
	}
	var wg sync.WaitGroup
	for _, p := range packages {
		wg.Go(func() { s.send(t, p, false) })
	}
	wg.Wait()
	s.modest(t)
}
