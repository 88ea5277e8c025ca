package repodata

import (
	"encoding/binary"
	"strconv"
	"time"

	"sluice/internal/conda"
)

// Records is what repodata.json lists.
type Records struct {
	// TarBz2 and Conda are the records that every client reads, keyed by file name.
	TarBz2, Conda []Piece
	// TarBz2V3 and CondaV3 are those that need revision 3 of the format (CEP 48), keyed by the file name without its
	// extension. V3 is how many they are.
	TarBz2V3, CondaV3 []Piece
	V3                int
	// Removed is the names of files that are yanked, each a JSON string.
	Removed []Piece
}

// Repodata lays out a subdir's repodata.json (CEP 36). It has no base_url: clients do not resolve a relative one. Of
// revision 3 there is no word where no record needs it, so that a channel without looks as it always did.
func Repodata(subdir conda.Subdir, r Records) File {
	b := builder{sep: ","}
	b.add(`{"info":{`+revisions(r.V3)+`"subdir":`+quoted(subdir)+`},"packages":{`, r.TarBz2)
	b.add(`},"packages.conda":{`, r.Conda)
	rest := `},"removed":[`
	if len(filled(r.Removed)) > 0 {
		b.add(rest, r.Removed)
		rest = ""
	}
	rest += `],"repodata_version":1`
	if r.V3 > 0 {
		b.add(rest+`,"v3":{"conda":{`, r.CondaV3)
		b.add(`},"tar.bz2":{`, r.TarBz2V3)
		rest = `}}`
	}
	return b.end(rest + `}`)
}

// revisions is the member of info that announces n records of revision 3: a map, since a list is refused by rattler.
func revisions(n int) string {
	if n == 0 {
		return ""
	}
	return `"repodata_revisions":{"v3":{"n_packages":` + strconv.Itoa(n) + `}},`
}

// RunExportsFile lays out a subdir's run_exports.json (CEP 12) from the pieces of RunExportsMember's members. Those of
// revision 3 stand among the others, by file name: CEP 12 knows no revisions, and rattler looks there first.
func RunExportsFile(subdir conda.Subdir, tarBz2, condas []Piece) File {
	b := builder{sep: ","}
	b.add(`{"info":{"subdir":`+quoted(subdir)+`,"version":1},"packages":{`, tarBz2)
	b.add(`},"packages.conda":{`, condas)
	return b.end(`}}`)
}

// Names is what a shard index lists.
type Names struct {
	// Pieces are of ShardIndexMember's members, Count is how many: a wrong number makes the file unreadable.
	Pieces []Piece
	Count  int
	// V3 is how many records in the shards need revision 3 of the format (CEP 48).
	V3 int
}

// ShardIndex lays out a subdir's repodata_shards.msgpack (CEP 16). createdAt is the time of the generation, not of the
// writing, lest replicas differ; it is cut to seconds. Both base URLs are relative: libmamba resolves an absolute one
// wrongly.
func ShardIndex(subdir conda.Subdir, createdAt time.Time, names Names) File {
	var p packForm
	p.b = appendMap(p.b, 3)
	p.text("info")
	p.open()
	field(&p, "base_url", "./")
	field(&p, "created_at", createdAt.UTC().Format(time.RFC3339))
	if names.V3 > 0 {
		p.key("repodata_revisions")
		p.open()
		p.key("v3")
		p.open()
		p.key("n_packages")
		p.number(int64(names.V3))
		p.close()
		p.close()
	}
	field(&p, "shards_base_url", "./shards/")
	field(&p, "subdir", subdir.String())
	p.close()
	p.text("shards")
	p.b = binary.BigEndian.AppendUint32(append(p.b, 0xDF), uint32(names.Count)) // of constant length: map32

	var b builder
	b.add(string(p.b), names.Pieces)
	return b.end(string(appendInt(appendStr(nil, "version"), 1)))
}

// ChannelData lays out a channel's channeldata.json (CEP 38) from the pieces of ChannelDataMember's members, in order of
// their names. subdirs are those in which the channel lists something, in order.
func ChannelData(pieces []Piece, subdirs []conda.Subdir) File {
	names := make([]string, len(subdirs))
	for i, d := range subdirs {
		names[i] = d.String()
	}
	b := builder{sep: ","}
	b.add(`{"channeldata_version":1,"packages":{`, pieces)
	return b.end(string(appendJSONList([]byte(`},"subdirs":`), names)) + `}`)
}

// quoted is the subdir as a JSON string.
func quoted(d conda.Subdir) string { return string(appendJSON(nil, d.String())) }
