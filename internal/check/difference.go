package check

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/index"
)

// Kind says in what the index, or the store of bytes, differs from what it should be. Kinds are stable: scripts read them.
type Kind string

// The kinds of differences.
const (
	// BlobMissing: the bytes of an artifact are gone. BlobChanged: they have another size or digest than those that were
	// published. Nothing but a backup brings them back.
	BlobMissing Kind = "blob.missing"
	BlobChanged Kind = "blob.changed"
	// BlobStray: bytes that no artifact has. They may be packages that are in no database since an older one was restored, so
	// a repair leaves them.
	BlobStray Kind = "blob.stray"
	// Metadata: what the database keeps of a package is not what the package says itself. Unreadable: the bytes are
	// those that were published, but no package that can be read.
	Metadata   Kind = "artifact.metadata"
	Unreadable Kind = "artifact.unreadable"
	// Patch: the correction that lies over a record cannot be read, or not be laid over it.
	Patch Kind = "artifact.patch"
	// Attested: the attestations of the artifact are not those whose digest its record tells.
	Attested Kind = "artifact.attestations"
	// Listed: the number of labels that list the artifact is wrong.
	Listed Kind = "artifact.listed"
	// Lost: a label has no record of an artifact that its pieces or its shards show.
	Lost Kind = "record.lost"
	// Record: a label says something else of an artifact than its metadata and its correction.
	Record Kind = "record.content"
	// Shown: a label shows an artifact that is deleted, or does not show one that it lists, or not as what it is.
	Shown Kind = "record.shown"
	// Generation: a place that lists something has no generation, or pieces of one that is still to come.
	Generation Kind = "place.generation"
	// Pieces: no piece covers some keys. Block: the block of a piece is gone, or does not decode. Members: it decodes to
	// other members than those of the records.
	Pieces  Kind = "piece.keys"
	Block   Kind = "piece.block"
	Members Kind = "piece.members"
	// Totals: the sums of a series are not those of its pieces.
	Totals Kind = "series.totals"
	// Shard: a name has no shard, or one that is not made of its records, or one though it has no records. ShardSum: the
	// bytes of a shard are not those of its name.
	Shard    Kind = "shard.content"
	ShardSum Kind = "shard.sha256"
	// ShardOld: the bytes of a superseded shard, which readers of an older index still fetch, are not those of its name.
	ShardOld Kind = "shard.superseded"
	// Package: the line that lists show of a name is wrong. ChannelData: what channeldata.json says of a name.
	Package     Kind = "package.line"
	ChannelData Kind = "channeldata.member"
	// BlockStray: a block that no piece has. BlockDropped: one that a piece has will be removed.
	BlockStray   Kind = "block.stray"
	BlockDropped Kind = "block.dropped"
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		BlobMissing, BlobChanged, BlobStray, Metadata, Unreadable, Patch, Attested, Listed, Lost, Record, Shown, Generation, Pieces, Block, Members, Totals,
		Shard, ShardSum, ShardOld, Package, ChannelData, BlockStray, BlockDropped,
	}
}

// Repairable reports whether a repair can do something about a difference of this kind. The bytes of packages come
// back from nowhere.
func (k Kind) Repairable() bool {
	return k != BlobMissing && k != BlobStray && k != BlobChanged && k != Unreadable && k != Patch && k != Attested
}

// Difference is one thing that is not as it should be.
type Difference struct {
	Kind Kind `json:"kind"`
	// Channel, Label, Subdir and Series say where; empty for what is not of one.
	Channel string `json:"channel,omitempty"`
	Label   string `json:"label,omitempty"`
	Subdir  string `json:"subdir,omitempty"`
	Series  string `json:"series,omitempty"`
	// Name is the file, the package, the digest, or the first key of the piece.
	Name string `json:"name,omitempty"`
	// Stored is what is there, Expected what should be.
	Stored   string `json:"stored"`
	Expected string `json:"expected"`
	// Repairable says that a repair makes it right.
	Repairable bool `json:"repairable"`

	place      index.Place
	listedAt   time.Time // when the label listed the artifact of which it has no record; zero: not known
	artifactID int64
	labels     []string // that list the artifact
	number     int64    // of a block
	sum        [32]byte
	truth      *Own // what the package says of itself, where the database says something else
}

// maxShown bounds a value in a line for people, in bytes.
const maxShown = 200

// String is the difference as a line for people.
func (d Difference) String() string {
	var where []string
	for _, s := range []string{d.Channel, d.Label, d.Subdir, d.Series, d.Name} {
		if s != "" {
			where = append(where, s)
		}
	}
	return fmt.Sprintf("%s  %s: %s, should be %s", d.Kind, strings.Join(where, "/"), short(d.Stored), short(d.Expected))
}

// short cuts a value.
func short(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}
