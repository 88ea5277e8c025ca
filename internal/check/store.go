package check

import (
	"context"
	"io"
	"iter"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// Store is what a check needs of the database. One method is one transaction, over one unchanging state.
type Store interface {
	Artifacts
	Index
	Mender
	// Named reports whether an artifact has these bytes, or it is known that they may be needed no more.
	Named(ctx context.Context, sum [32]byte) (bool, error)
}

// Artifacts reads what is stored of a channel's artifacts.
type Artifacts interface {
	CountArtifacts(ctx context.Context, channelID int64) (int64, error)
	// ArtifactsAfter lists artifacts by number, those after a number, with everything that labels say of them.
	ArtifactsAfter(ctx context.Context, channelID, after int64, limit int) ([]Artifact, error)
	// Attestations reads the attestations that an artifact has for these bytes, in order.
	Attestations(ctx context.Context, id int64, sum [32]byte) ([][]byte, error)
	// LinesAfter lists the lines that lists of packages show, by name, those after a name: as they are and as they
	// should be.
	LinesAfter(ctx context.Context, channelID int64, after string, limit int) ([]Line, error)
}

// Index reads what is stored of the index files.
type Index interface {
	// Places lists where a channel has anything of an index.
	Places(ctx context.Context, channelID int64) ([]index.Place, error)
	// State reads the generation of a place and the sums of its series.
	State(ctx context.Context, p index.Place) (State, error)
	// PiecesFrom reads the piece of a series that covers a key, and some of those that follow, with the members that they
	// should hold.
	PiecesFrom(ctx context.Context, p index.Place, s index.Series, key string, limit int) (Run, error)
	// NamesAfter lists names that have records or a shard, those after a name.
	NamesAfter(ctx context.Context, p index.Place, after string, limit int) ([]Name, error)
	// ShardsOf reads the shards of a name, superseded ones last.
	ShardsOf(ctx context.Context, p index.Place, name string) ([]StoredShard, error)
	// SupersededAfter lists superseded shards by digest, those after a digest; nil: from the first.
	SupersededAfter(ctx context.Context, p index.Place, after []byte, limit int) ([]StoredShard, error)
	// Strays lists blocks that nothing leads to.
	Strays(ctx context.Context, channelID int64) (Strays, error)
}

// Mender makes anew what differs.
type Mender interface {
	// MendArtifact sets what the database keeps of an artifact with these bytes to what the package says itself. It does
	// nothing when the artifact has other bytes by now.
	MendArtifact(ctx context.Context, id int64, sum [32]byte, own Own) error
	// MendPlace makes records, pieces and shards of a place anew, one generation for all, and writes the event. The times
	// of the listings stay.
	MendPlace(ctx context.Context, ch channel.Channel, m Mend, e audit.Event) error
	// MendChannel makes anew what belongs to no place, and writes the event.
	MendChannel(ctx context.Context, ch channel.Channel, m MendChannel, e audit.Event) error
	// Doubt notes that a blob may be needed no more, so that a server looks at it and removes it.
	Doubt(ctx context.Context, sum [32]byte) error
}

// Blobs is what a check needs of the store of bytes.
type Blobs interface {
	Open(ctx context.Context, sum [32]byte) (io.ReadSeekCloser, int64, error)
	// All lists every blob.
	All(ctx context.Context) iter.Seq2[[32]byte, error]
	// Held reports whether the fate of a blob is undecided, in this process or another one.
	Held(ctx context.Context, sum [32]byte) (bool, error)
}

// Own is what follows from a package's bytes.
type Own struct {
	MD5  [16]byte
	Size int64
	// RawIndex is its info/index.json.
	RawIndex   []byte
	RunExports conda.RunExports
	About      artifact.About
	Traits     conda.Traits
	V3         bool
	// These are fields of the record that the database can search by.
	Depends     []string
	BuildNumber uint64
	TimestampMS int64
	License     string
}

// Artifact is an artifact as it is stored.
type Artifact struct {
	ID           int64
	Subdir, File string
	SHA256       [32]byte
	Own
	// Patch lies over its record; Unpatchable says why it cannot be read.
	Patch       conda.Patch
	Unpatchable string
	// Sidecar is the digest of the file of its attestations; zero: it has none.
	Sidecar [32]byte
	// Listed is how many labels are said to list it.
	Listed                  int
	Yanked, Deleted, Purged bool
	Records                 []Listing
}

// Listing is what a label says, or said, of an artifact.
type Listing struct {
	Label, Subdir, File, Name string
	Series                    index.Series
	IndexedAt                 time.Time
	// Member, ShardMember and RunExports are its parts of index files.
	Member, ShardMember, RunExports []byte
	// Shown is 0 for not, 1 for among the packages, 2 for among the removed.
	Shown int
	// TakenOut says that the label lists it no more.
	TakenOut bool
}

// Line is what lists of packages show of a name; "" for nothing.
type Line struct{ Name, Stored, Expected string }

// State is the generation of a place.
type State struct {
	// Number is that of the generation; Found is false where there is none. Newest is the highest of any piece.
	Number, Newest int64
	Found          bool
	// Stored are the sums of the series, Summed those of the pieces.
	Stored, Summed map[index.Series]index.Totals
}

// Run is neighbouring pieces of a series.
type Run struct {
	Pieces []Piece
	// Members are those that the pieces should hold: from the first piece on up to Next, without it.
	Members []Member
	// Next is the key to go on with; More is false when there is none.
	Next string
	More bool
}

// Piece is a piece with its block.
type Piece struct {
	index.Piece
	// Bytes is the block; nil when it is gone.
	Bytes []byte
}

// Member is a member of a series.
type Member struct {
	Key   string
	Bytes []byte
}

// Name is a package name of a place.
type Name struct {
	Name string
	// Records is how many records show it, Members what its shard is made of.
	Records int
	Members repodata.ShardMembers
	// SHA256 and Bytes are its shard; nil for none.
	SHA256, Bytes []byte
	// Told is what channeldata.json says of the name in the label, TellIt what it should; both nil while that is to be
	// made anew when it is asked for. Untold says that there is nothing though something should be.
	Told, TellIt []byte
	Untold       bool
}

// StoredShard is a shard by its digest.
type StoredShard struct {
	Name          string
	SHA256, Bytes []byte
	Superseded    bool
}

// Strays are blocks that nothing leads to, at most a thousand of each kind: they have no piece, or are those of pieces and
// are to be removed all the same.
type Strays struct{ Blocks, Dropped []int64 }

// Mend is what is to be made anew of a place.
type Mend struct {
	Place index.Place
	// Artifacts are those whose records are, Series those of which all pieces are, Names those whose shards are, and what
	// channeldata.json says of them.
	Artifacts []int64
	Series    []index.Series
	Names     []string
	// Lost are artifacts of which the place has no record, though it shows them.
	Lost []Relisting
	// Forget are digests of superseded shards that are to go, if their bytes are not those of it.
	Forget [][]byte
}

// Relisting is an artifact that is to be listed again, and when it was listed first; zero: when it was uploaded.
type Relisting struct {
	ArtifactID int64
	ListedAt   time.Time
}

// MendChannel is what is to be made anew of a channel.
type MendChannel struct {
	// Artifacts are those whose labels are counted, Packages those whose lines are made anew.
	Artifacts []int64
	Packages  []string
	// Blocks are to be removed, Keep are not.
	Blocks, Keep []int64
}
