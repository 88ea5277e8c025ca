package repodata

import (
	"encoding/binary"
	"time"

	"sluice/internal/conda"
)

// Repodata lays out a subdir's repodata.json (CEP 36) from the pieces of Member's members. It has
// revision 1 and no base_url: clients do not resolve a relative one.
func Repodata(subdir conda.Subdir, tarBz2, condas []Piece) File {
	b := builder{sep: ","}
	b.add(`{"info":{"subdir":`+quoted(subdir)+`},"packages":{`, tarBz2)
	b.add(`},"packages.conda":{`, condas)
	return b.end(`},"removed":[],"repodata_version":1}`)
}

// RunExportsFile lays out a subdir's run_exports.json (CEP 12) from the pieces of RunExportsMember's
// members.
func RunExportsFile(subdir conda.Subdir, tarBz2, condas []Piece) File {
	b := builder{sep: ","}
	b.add(`{"info":{"subdir":`+quoted(subdir)+`,"version":1},"packages":{`, tarBz2)
	b.add(`},"packages.conda":{`, condas)
	return b.end(`}}`)
}

// ShardIndex lays out a subdir's repodata_shards.msgpack (CEP 16) from the pieces of ShardIndexMember's
// members, which are names in all: a wrong number makes the file unreadable. createdAt is the time of
// the generation, not of the writing, lest replicas differ; it is cut to seconds. Both base URLs are
// relative: libmamba resolves an absolute one wrongly.
func ShardIndex(subdir conda.Subdir, createdAt time.Time, names int, pieces []Piece) File {
	var p packForm
	p.b = appendMap(p.b, 3)
	p.text("info")
	p.open()
	field(&p, "base_url", "./")
	field(&p, "created_at", createdAt.UTC().Format(time.RFC3339))
	field(&p, "shards_base_url", "./shards/")
	field(&p, "subdir", subdir.String())
	p.close()
	p.text("shards")
	p.b = binary.BigEndian.AppendUint32(append(p.b, 0xDF), uint32(names)) // of constant length: map32

	var b builder
	b.add(string(p.b), pieces)
	return b.end(string(appendInt(appendStr(nil, "version"), 1)))
}

// quoted is the subdir as a JSON string.
func quoted(d conda.Subdir) string { return string(appendJSON(nil, d.String())) }
