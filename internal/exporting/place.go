package exporting

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// names are the index files of a place, in the order in which they are put in place: the one that most clients ask
// for comes last.
var names = []index.Name{index.RunExportsJSON, index.RunExportsZst, index.RepodataJSON, index.RepodataZst, index.ShardIndex}

// place exports one place: packages and shards first, then the index files that name them.
func (x *exporter) place(ctx context.Context, p index.Place, all []index.Place) error {
	dir := dirOf(p)
	if err := x.disk.mkdir(filepath.Join(dir, shardDir)); err != nil {
		return err
	}
	if err := x.clear(dir, filepath.Join(dir, shardDir)); err != nil {
		return err
	}
	files, err := x.generation(ctx, p)
	if err != nil {
		return err
	}
	made := map[index.Name]string{}
	defer func() {
		for _, name := range made {
			_ = x.disk.discard(name) // after an error, which says enough
		}
	}()
	for _, n := range names {
		if made[n], err = x.lay(ctx, dir, files[n]); err != nil {
			return err
		}
	}
	k := kept{}
	if err := x.packages(ctx, p, all, made[index.RepodataZst], k); err != nil {
		return err
	}
	if err := x.shards(ctx, p, made[index.ShardIndex], k); err != nil {
		return err
	}
	for _, n := range names {
		if changed, err := x.changed(made[n], filepath.Join(dir, string(n))); err != nil {
			return err
		} else if !changed {
			delete(made, n)
		}
	}
	if err := x.disk.flush(); err != nil {
		return err
	}
	for _, n := range names {
		if made[n] == "" {
			continue
		}
		if err := x.disk.rename(made[n], filepath.Join(dir, string(n))); err != nil {
			return err
		}
		delete(made, n)
	}
	if !x.Prune {
		return nil
	}
	if err := x.disk.flush(); err != nil {
		return err
	}
	return x.prune(dir, k)
}

// kept are the files of a place that its index names, by their paths in it.
type kept map[string]bool

// attempts at catching all files of a place in one generation, while others publish.
const attempts = 100

var errBusy = errors.New("the channel changes faster than its index can be read: run the export again")

// generation returns all index files of a place, of one generation.
func (x *exporter) generation(ctx context.Context, p index.Place) (map[index.Name]*index.File, error) {
	for range attempts {
		files, first, same := map[index.Name]*index.File{}, (*index.File)(nil), true
		for _, n := range names {
			f, err := x.Index.File(ctx, p, x.Channel.CreatedAt, n)
			if err != nil {
				return nil, err
			}
			if first == nil {
				first = f
			}
			files[n] = f
			same = same && f.Chain == first.Chain
		}
		if same {
			return files, nil
		}
	}
	return nil, errBusy
}

// lay writes an index file under a name of its own, and returns that.
func (x *exporter) lay(ctx context.Context, dir string, f *index.File) (string, error) {
	body := f.Open(ctx)
	defer func() { _ = body.Close() }() // it was only read
	return x.arrive(dir, func(w io.Writer) error {
		_, err := io.Copy(w, body)
		return err
	}, f.CommittedAt)
}

// askFiles is how many packages are asked for at once.
const askFiles = 500

// maxWindow bounds what a frame of ours needs, in bytes.
const maxWindow = 8 << 20

// packages puts every package in place that the index names, the removed ones among them: lock files do.
func (x *exporter) packages(ctx context.Context, p index.Place, all []index.Place, indexFile string, k kept) error {
	file, err := x.root.Open(indexFile)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	dec, err := zstd.NewReader(file, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer dec.Close()
	var asked []repodata.Entry
	for e, err := range repodata.NewSource(dec, p.Subdir).Entries() {
		if err != nil {
			return err
		}
		if x.Prune {
			k[e.File.String()] = true
		}
		if asked = append(asked, e); len(asked) == askFiles {
			if err := x.some(ctx, p, all, asked, k); err != nil {
				return err
			}
			asked = asked[:0]
		}
	}
	return x.some(ctx, p, all, asked, k)
}

func (x *exporter) some(ctx context.Context, p index.Place, all []index.Place, entries []repodata.Entry, k kept) error {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.File.String()
	}
	stored, err := x.Store.Stored(ctx, x.Channel.ID, p.Subdir, names)
	if err != nil {
		return err
	}
	for _, e := range entries {
		s, ok := stored[e.File.String()]
		if !ok || e.Place != repodata.Removed && s.SHA256 != e.Record.SHA256 {
			return errBusy // it was deleted or replaced since the index was read
		}
		if err := x.artifact(ctx, p, all, e.File.String(), s); err != nil {
			return err
		}
		if s.Attested {
			if err := x.sidecars(ctx, p, e.File, k); err != nil {
				return err
			}
		}
		x.sum.Packages++
		x.Progress.Files.Add(1)
	}
	return nil
}

// sidecarExt follows the name of a package in that of the file of its attestations (CEP 50).
const sidecarExt = ".sigs"

// sidecars puts the attestations of a package in place: each file that there ever was by its hash, for an index names one
// of them, then the newest.
func (x *exporter) sidecars(ctx context.Context, p index.Place, f conda.Filename, k kept) error {
	all, err := x.Store.Sidecars(ctx, p, f)
	if err != nil {
		return err
	}
	put := func(name string, body []byte) error {
		k[name] = true
		return x.replace(filepath.Join(dirOf(p), name), body)
	}
	name := f.String() + sidecarExt
	for _, body := range all {
		sum := sha256.Sum256(body)
		if err := put(name+"."+hex.EncodeToString(sum[:]), body); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	return put(name, all[len(all)-1])
}

const (
	shardDir = "shards"
	shardExt = ".msgpack.zst"
)

// shards puts every shard in place that the shard index names. A shard never becomes another one of its name.
func (x *exporter) shards(ctx context.Context, p index.Place, indexFile string, k kept) error {
	b, err := x.root.ReadFile(indexFile)
	if err != nil {
		return err
	}
	list, err := repodata.ReadShardIndex(b)
	if err != nil {
		return err
	}
	for _, sum := range list.Hashes {
		name := filepath.Join(shardDir, hex.EncodeToString(sum[:])+shardExt)
		k[name] = true
		if _, err := x.root.Lstat(filepath.Join(dirOf(p), name)); err == nil && !x.Verify {
			continue
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		shard, err := x.Index.Shard(ctx, p, sum)
		if err != nil {
			return err
		}
		if err := x.replace(filepath.Join(dirOf(p), name), shard); err != nil {
			return err
		}
	}
	return nil
}
