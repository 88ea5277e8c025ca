package repodata

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// oneFrame decodes a file that must be one zstd frame and nothing else, since the clients' readers disagree
// about what follows the first. It takes a window of at most maxWindow and content of at most most bytes.
func oneFrame(file []byte, maxWindow, most uint64) ([]byte, error) {
	if err := checkOneFrame(file); err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(bytes.NewReader(nil), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(most))
	if err != nil {
		return nil, fmt.Errorf("make a zstd decoder: %w", err)
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(file, nil)
	if err != nil {
		return nil, fmt.Errorf("decode the zstd frame: %w", err)
	}
	return raw, nil
}

// checkOneFrame walks the blocks of the first frame (RFC 8878) and compares its end with the file's.
func checkOneFrame(file []byte) error {
	var h zstd.Header
	if err := h.Decode(file); err != nil {
		return fmt.Errorf("read the zstd frame: %w", err)
	}
	if h.Skippable || h.DictionaryID != 0 {
		return errors.New("the zstd frame is one to skip, or needs a dictionary")
	}
	at := h.HeaderSize
	for last := false; !last; {
		if len(file)-at < blockHeader {
			return errShort
		}
		last = file[at]&1 == 1
		at += blockLen(file[at:])
	}
	if h.HasCheckSum {
		at += 4
	}
	if at != len(file) {
		return errors.New("the file is not exactly one zstd frame")
	}
	return nil
}
