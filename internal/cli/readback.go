package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"
)

// readBack reads the noarch index of a channel in each of its forms, and checks that all list exactly the
// files, whose bytes it fetches and compares.
func readBack(ctx context.Context, channel string, files map[string][]byte) error {
	subdir := channel + "/noarch/"
	plain, err := get(ctx, subdir+"repodata.json")
	if err != nil {
		return err
	}
	packed, err := getZstd(ctx, subdir+"repodata.json.zst")
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, packed) {
		return errors.New("repodata.json and repodata.json.zst differ")
	}
	var flat struct {
		Packages      map[string]json.RawMessage `json:"packages"`
		PackagesConda map[string]json.RawMessage `json:"packages.conda"`
	}
	if err := json.Unmarshal(plain, &flat); err != nil {
		return fmt.Errorf("repodata.json: %w", err)
	}
	sharded, err := shardedNames(ctx, subdir)
	if err != nil {
		return err
	}
	for name, want := range files {
		_, old := flat.Packages[name]
		_, condas := flat.PackagesConda[name]
		if !old && !condas || !sharded[name] {
			return fmt.Errorf("%s is missing: in repodata.json %v, in the shards %v", name, old || condas, sharded[name])
		}
		if got, err := get(ctx, subdir+name); err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("%s did not come back as it was sent: %d of %d bytes: %w", name, len(got), len(want), err)
		}
	}
	return nil
}

// shardedNames reads the shard index and every shard, and returns the file names in them.
func shardedNames(ctx context.Context, subdir string) (map[string]bool, error) {
	b, err := getZstd(ctx, subdir+"repodata_shards.msgpack.zst")
	if err != nil {
		return nil, err
	}
	var index struct {
		Shards map[string][]byte `msgpack:"shards"`
	}
	if err := msgpack.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("shard index: %w", err)
	}
	names := map[string]bool{}
	for _, sum := range index.Shards {
		b, err := getZstd(ctx, subdir+"shards/"+hex.EncodeToString(sum)+".msgpack.zst")
		if err != nil {
			return nil, err
		}
		var shard struct {
			Packages      map[string]msgpack.RawMessage `msgpack:"packages"`
			PackagesConda map[string]msgpack.RawMessage `msgpack:"packages.conda"`
		}
		if err := msgpack.Unmarshal(b, &shard); err != nil {
			return nil, fmt.Errorf("shard: %w", err)
		}
		for name := range shard.Packages {
			names[name] = true
		}
		for name := range shard.PackagesConda {
			names[name] = true
		}
	}
	return names, nil
}

// reader reads back from a server on this machine.
var reader = &http.Client{Timeout: time.Minute}

func get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := reader.Do(req)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", address, res.Status, strings.TrimSpace(string(b)))
	}
	return b, nil
}

func getZstd(ctx context.Context, address string) ([]byte, error) {
	b, err := get(ctx, address)
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	defer dec.Close()
	return io.ReadAll(dec)
}
