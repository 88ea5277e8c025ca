package repodata

import (
	"errors"
	"fmt"
	"time"

	"sluice/internal/conda"
)

// Shards is what a shard index says.
type Shards struct {
	Subdir conda.Subdir
	// BaseURL and ShardsBaseURL are relative to the index; packages and shards lie below them.
	BaseURL, ShardsBaseURL string
	// CreatedAt is the time of the generation, to the second; zero when the index does not say.
	CreatedAt time.Time
	// Hashes are the SHA-256 of each name's shard, as a file.
	Hashes map[string][32]byte
}

// What the strictest client, conda, grants a shard index: its window and its content, in bytes.
const indexWindow, indexMost = 1 << 27, 128 << 20

// ReadShardIndex reads the file of a shard index (CEP 16) as ShardIndex makes it: one zstd frame that every
// client can read, version 1, hashes as bytes, each name once. Keys of info that it does not know are skipped.
func ReadShardIndex(file []byte) (Shards, error) {
	raw, err := oneFrame(file, indexWindow, indexMost)
	if err != nil {
		return Shards{}, fmt.Errorf("read a shard index: %w", err)
	}
	x := &indexReader{unpacker: unpacker{b: raw}}
	x.index()
	if err := x.end(); err != nil {
		return Shards{}, fmt.Errorf("read a shard index: %w", err)
	}
	return x.made, nil
}

// indexReader gathers what a shard index says.
type indexReader struct {
	unpacker
	made Shards
}

func (x *indexReader) index() {
	seen := map[string]bool{}
	for range x.keys() {
		key := x.str()
		if seen[key] {
			x.fail(fmt.Errorf("it has %.64q twice", key))
		}
		seen[key] = true
		switch key {
		case "version":
			if v := string(x.number(nil, x.first())); v != "1" {
				x.fail(fmt.Errorf("it is of version %s, not 1", v))
			}
		case "info":
			x.info()
		case "shards":
			x.shards()
		default:
			x.fail(fmt.Errorf("it has the unknown key %.64q", key))
		}
	}
	if !seen["version"] || !seen["info"] || !seen["shards"] {
		x.fail(errors.New("it lacks version, info or shards"))
	}
}

func (x *indexReader) info() {
	for range x.keys() {
		switch x.str() {
		case "base_url":
			x.made.BaseURL = x.str()
		case "shards_base_url":
			x.made.ShardsBaseURL = x.str()
		case "subdir":
			x.made.Subdir = parsed(x, conda.ParseSubdir)
		case "created_at":
			x.made.CreatedAt = parsed(x, func(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) })
		default:
			x.json(nil, 0)
		}
	}
	if x.made.Subdir.IsZero() {
		x.fail(errors.New("it does not say of which subdir it is"))
	}
}

// parsed reads a str and makes a value of it.
func parsed[T any](x *indexReader, parse func(string) (T, error)) T {
	v, err := parse(x.str())
	if err != nil {
		x.fail(err)
	}
	return v
}

func (x *indexReader) shards() {
	x.made.Hashes = map[string][32]byte{}
	for range x.keys() {
		name, hash := x.str(), x.bin(x.first())
		_, twice := x.made.Hashes[name]
		switch {
		case x.err != nil:
		case len(hash) != 32:
			x.fail(fmt.Errorf("the hash of %.64q has %d bytes, not 32", name, len(hash)))
		case twice:
			x.fail(fmt.Errorf("it has the name %.64q twice", name))
		default:
			x.made.Hashes[name] = [32]byte(hash)
		}
	}
}
