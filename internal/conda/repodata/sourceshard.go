package repodata

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"sluice/internal/conda"
)

// MaxShardIndex and MaxShard bound the files of a shard index and of a shard that somebody else wrote, in bytes: what is packed
// is not larger than what the strictest client takes unpacked.
const (
	MaxShardIndex = indexMost
	MaxShard      = shardMost
)

// SourceShards reads the file of the shard index of any channel, whoever wrote it (CEP 16). Of what it says of itself it
// takes the two addresses alone.
func SourceShards(file []byte) (out Shards, err error) {
	text, err := asJSON(file, indexWindow, indexMost)
	if err != nil {
		return out, fmt.Errorf("read a shard index: %w", err)
	}
	var x struct {
		Version int `json:"version"`
		Info    struct {
			BaseURL       string `json:"base_url"`
			ShardsBaseURL string `json:"shards_base_url"`
		} `json:"info"`
		Shards map[string]string `json:"shards"`
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return out, fmt.Errorf("read a shard index: %w", err)
	}
	if x.Version > 1 {
		return out, fmt.Errorf("a shard index of version %d; version 1 is read", x.Version)
	}
	out.BaseURL, out.ShardsBaseURL, out.Hashes = x.Info.BaseURL, x.Info.ShardsBaseURL, make(map[string][32]byte, len(x.Shards))
	for name, text := range x.Shards {
		hash, err := hex.DecodeString(text)
		if err != nil || len(hash) != 32 {
			return out, fmt.Errorf("read a shard index: the hash of %.64q is not one of 32 bytes", name)
		}
		out.Hashes[name] = [32]byte(hash)
	}
	return out, nil
}

// NewShardSource reads the file of a shard of any channel, whoever wrote it, as NewSource reads a repodata.json: a shard has the
// same maps of records, in msgpack. Where its packages lie says the shard index.
func NewShardSource(file []byte, subdir conda.Subdir) (*Source, error) {
	text, err := asJSON(file, shardWindow, shardMost)
	if err != nil {
		return nil, fmt.Errorf("read a shard: %w", err)
	}
	s := NewSource(bytes.NewReader(text), subdir)
	s.what = "a shard"
	return s, nil
}

// asJSON unpacks the one value of a zstd frame of msgpack, and writes it as JSON.
func asJSON(file []byte, window, most uint64) ([]byte, error) {
	raw, err := oneFrame(file, window, most)
	if err != nil {
		return nil, err
	}
	u := unpacker{b: raw, foreign: true}
	text := u.json(nil, 0)
	return text, u.end()
}
