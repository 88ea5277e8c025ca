package artifact

import (
	"compress/bzip2"
	"errors"
	"io"
	"math/bits"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
)

// readConda reads the three members of a .conda file (CEP 35): the small ones first, so that what is
// wrong with them is said before gigabytes are unpacked.
func readConda(src *source, f conda.Filename, lim Limits, found *contents) error {
	least := uint64(3)
	if lim.Imported {
		least = 2 // some lack metadata.json, which no client reads
	}
	members, err := openZip(src, least)
	if err != nil {
		return err
	}
	m, err := pickMembers(members, f.Stem())
	if err != nil {
		return err
	}
	if m.metadata.name != "" {
		if err := readMetadata(src, m.metadata, lim); err != nil {
			return within("metadata.json", err)
		}
	}
	info, payload := newTree(lim, found), newTree(lim, found)
	info.info, payload.payload = true, true
	if err := readMember(src, m.info, info, lim.InfoBytes); err != nil {
		return err
	}
	if !lim.ScanPayload {
		raw := src.section(m.pkg.data, m.pkg.size)
		if _, err := io.Copy(io.Discard, raw); err != nil {
			return err
		}
		return checkSum(m.pkg, raw)
	}
	return readMember(src, m.pkg, payload, lim.PayloadBytes)
}

// readMetadata checks that the file is a package of format 2.
func readMetadata(src *source, m member, lim Limits) error {
	if m.size > lim.Metadata {
		return over("it has %d bytes; the limit here is %d", m.size, lim.Metadata)
	}
	raw := src.section(m.data, m.size)
	b, err := io.ReadAll(raw)
	if err != nil {
		return err
	}
	if err := checkSum(m, raw); err != nil {
		return err
	}
	if err := checkJSON(b, false); err != nil {
		return err
	}
	o, err := parseObject(b)
	if err != nil {
		return err
	}
	if string(o["conda_pkg_format_version"]) != "2" {
		return bad(`it must say {"conda_pkg_format_version": 2}`)
	}
	return nil
}

func checkSum(m member, raw *counted) error {
	if raw.n != m.size || raw.crc != m.crc {
		return bad("member %s is damaged (its CRC-32 is wrong); send the file again", quote(m.name))
	}
	return nil
}

// readMember walks the tar in one zstd member.
func readMember(src *source, m member, t *tree, max int64) error {
	raw := src.section(m.data, m.size)
	fr, err := newFrame(raw, m.size, t.lim.Window)
	if err != nil {
		return within(m.name, err)
	}
	release, err := src.hold(t.lim, int64(fr.window))
	if err != nil {
		return err
	}
	defer release()
	if err := unpack(fr, raw, t, max); err != nil {
		if fr.err != nil && !errors.Is(fr.err, io.EOF) {
			err = fr.err
		}
		return within(m.name, asFormat(err))
	}
	if !fr.end { // the decoder is content, but there is more
		return within(m.name, bad("its zstd frame does not end where its content ends"))
	}
	return checkSum(m, raw)
}

// unpack decodes the frame into the tree.
func unpack(fr *frame, raw *counted, t *tree, max int64) error {
	window := uint64(1) << bits.Len64(uint64(t.lim.Window)-1) // newFrame rounds up to a power of two
	dec, err := zstd.NewReader(fr, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return err
	}
	defer dec.Close()
	return t.walk(&bounded{r: dec, in: raw, lim: t.lim, max: max})
}

// readTarBz2 walks a .tar.bz2 file: one tar in one bzip2 stream, info/ anywhere in it.
func readTarBz2(src *source, f conda.Filename, lim Limits, found *contents) error {
	t := newTree(lim, found)
	t.info, t.payload = true, true
	release, err := src.hold(lim, 0)
	if err != nil {
		return err
	}
	defer release()
	raw := src.section(0, src.size)
	st := newStream(raw)
	out := &bounded{r: bzip2.NewReader(st), in: raw, lim: lim, max: lim.InfoBytes + lim.PayloadBytes}
	if err := t.walk(out); err != nil {
		if st.err != nil && !errors.Is(st.err, io.EOF) {
			err = st.err
		}
		return within(f.String(), asFormat(err))
	}
	return nil
}

// asFormat makes a FormatError of what a decoder says. Failures of the source are told apart by Read.
func asFormat(err error) error {
	if _, ok := errors.AsType[*FormatError](err); ok {
		return err
	}
	return bad("it cannot be decompressed (%s); the file is damaged", err)
}
