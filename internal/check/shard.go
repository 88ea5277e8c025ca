package check

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"sluice/internal/index"
)

// told compares what channeldata.json says of a name with its artifacts, once in a label.
func (r *run) told(p index.Place, n Name) {
	key := p.Label.String() + "/" + n.Name
	if !n.Untold && bytes.Equal(n.Told, n.TellIt) || r.untrue[key] {
		return
	}
	r.untrue[key] = true
	d := at(ChannelData, p)
	d.Name, d.Stored, d.Expected = n.Name, orNone(string(n.Told)), orNone(string(n.TellIt))
	if n.Untold {
		d.Expected = "a line, to be made when it is asked for"
	}
	r.found(d)
}

// shard compares the shard of a name with its records. How it is compressed is not compared: a later version of the
// program may do that better, and leaves alone what is there.
func (r *run) shard(p index.Place, n Name) {
	differ := func(k Kind, stored, expected string) {
		d := at(k, p)
		d.Name, d.Stored, d.Expected = n.Name, stored, expected
		r.found(d)
	}
	if n.SHA256 == nil {
		differ(Shard, "no shard", fmt.Sprintf("one of %d records", n.Records))
		return
	}
	r.result.Shards++
	switch sum := sha256.Sum256(n.Bytes); {
	case !bytes.Equal(sum[:], n.SHA256):
		differ(ShardSum, fmt.Sprintf("bytes with SHA-256 %x", sum), fmt.Sprintf("those with %x", n.SHA256))
	case n.Records == 0:
		differ(Shard, fmt.Sprintf("shard %x", n.SHA256), "none: the name has no records")
	case !r.encoder.AgreesShard(n.Bytes, n.Members):
		differ(Shard, fmt.Sprintf("shard %x, which holds other records", n.SHA256), fmt.Sprintf("one of its %d records", n.Records))
	}
}

// oldShards compares the superseded shards of a place with their digests: readers that hold an older index fetch them, and
// would take nothing else. Such a shard cannot be made again; those who miss it read the index anew.
func (r *run) oldShards(ctx context.Context, p index.Place) error {
	for after := []byte(nil); ; {
		some, err := r.store.SupersededAfter(ctx, p, after, namesAtOnce)
		if err != nil {
			return err
		}
		for _, s := range some {
			after = s.SHA256
			r.result.Shards++
			if sum := sha256.Sum256(s.Bytes); !bytes.Equal(sum[:], s.SHA256) {
				d := at(ShardOld, p)
				d.Name, d.sum = s.Name, [32]byte(s.SHA256)
				d.Stored, d.Expected = fmt.Sprintf("bytes with SHA-256 %x", sum), fmt.Sprintf("those with %x, or none", s.SHA256)
				r.found(d)
			}
		}
		if len(some) < namesAtOnce {
			return nil
		}
	}
}
