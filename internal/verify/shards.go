package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/importing"
)

// shards is the index of a subdir elsewhere where it is cut into one file a package name (CEP 16).
type shards struct {
	repodata.Shards

	channel *importing.Web
	subdir  conda.Subdir
}

const (
	shardIndexFile = "repodata_shards.msgpack.zst"
	shardExt       = ".msgpack.zst"
)

// openShards fetches the list of shards; fs.ErrNotExist where the channel has none. Stores that tell nobody what they have refuse
// a file that is not there (403), so any refusal is none: what the source has against it, the whole index tells as well.
func openShards(ctx context.Context, w *importing.Web, d conda.Subdir) (shards, error) {
	s := shards{channel: w, subdir: d}
	file, err := read(ctx, w, d, "", shardIndexFile, repodata.MaxShardIndex)
	if _, passing := errors.AsType[*importing.TransientError](err); err != nil && !passing && ctx.Err() == nil {
		return s, errors.Join(fs.ErrNotExist, err)
	}
	if err == nil {
		err = within(file, repodata.MaxShardIndex)
	}
	if err == nil {
		s.Shards, err = repodata.SourceShards(file)
	}
	if err != nil {
		return s, fmt.Errorf("%s of %s in %s: %w", shardIndexFile, d, w, err)
	}
	return s, nil
}

// scan calls do with what the shards of some packages say, in the order of the names, until it wants no more.
func (s shards) scan(ctx context.Context, names []string, do func(Claim) bool) error {
	err := inOrder(ctx, connections, eachOf(names), s.claims, func(claims []Claim) error {
		for _, c := range claims {
			if !do(c) {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough says that the caller wants no more.
var errEnough = errors.New("enough")

// claims reads the shard of a package; none where the channel has none of it.
func (s shards) claims(ctx context.Context, name string) (out []Claim, err error) {
	sum, ok := s.Hashes[name]
	if !ok {
		sum, ok = s.Hashes[strings.ToLower(name)] // some indexers lower all names there, and leave those of files alone
	}
	if !ok {
		return nil, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("the shard of %s in the index of %s in %s: %w", name, s.subdir, s.channel, err)
		}
	}()
	file, err := read(ctx, s.channel, s.subdir, s.ShardsBaseURL, hex.EncodeToString(sum[:])+shardExt, repodata.MaxShard)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the index names it, and the channel does not have it") // which is another thing than no index
	} else if err != nil {
		return nil, err
	}
	if err := within(file, repodata.MaxShard); err != nil {
		return nil, err
	}
	if got := sha256.Sum256(file); got != sum {
		return nil, fmt.Errorf("it has SHA-256 %x, and the index says %x: it was changed or damaged there", got, sum)
	}
	source, err := repodata.NewShardSource(file, s.subdir)
	if err != nil {
		return nil, err
	}
	err = eachEntry(source, func(c Claim) bool {
		if c.File.Name() == name { // of other packages a shard has nothing to say
			c.Channel, c.Subdir, c.Base = s.channel, s.subdir, s.BaseURL
			out = append(out, c)
		}
		return true
	})
	return out, err
}

// within refuses a file of an index that has more than so many bytes.
func within(file []byte, most int) error {
	if len(file) > most {
		return fmt.Errorf("it has more than %d bytes, and no client takes so many", most)
	}
	return nil
}

// read reads a file of a subdir, and of one that is longer than so many bytes no more than one byte more. base is what the index
// says that the file lies below; "" for beside the index.
func read(ctx context.Context, w *importing.Web, d conda.Subdir, base, name string, most int64) ([]byte, error) {
	var body bytes.Buffer
	err := w.File(ctx, importing.Place{Label: conda.MainLabel(), Subdir: d}, base, name, func(in io.Reader) error {
		body.Reset()
		_, err := io.Copy(&body, io.LimitReader(in, most+1))
		return err
	})
	return body.Bytes(), err
}
