package files

import (
	"encoding/hex"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/index"
)

// kind says what a path of a channel leads to.
type kind int

const (
	// nothing: no client asks for such a path.
	nothing kind = iota
	// top: the channel's own address, which people open.
	top
	// notices: notices.json of the channel.
	notices
	// channelData: channeldata.json of a label.
	channelData
	// indexFile: one of the index files of a subdir.
	indexFile
	// shard: a shard by its hash.
	shard
	// artifactFile: a package.
	artifactFile
	// sidecar: the attestations of a package (CEP 50), as they are now.
	sidecar
	// oldSidecar: the same by their hash.
	oldSidecar
)

// target is a path taken apart. Only the fields that its kind needs are set.
type target struct {
	kind    kind
	channel conda.Channel
	label   conda.Label
	subdir  conda.Subdir
	index   index.Name
	sha256  [32]byte
	file    conda.Filename
}

// parse takes a decoded path apart: /{channel}/{subdir}/{file}, the same under /{channel}/label/{label}/, and
// the few names beside the subdirs. Labels may hold slashes, so they end where a known tail begins. What is
// no path of a channel is nothing; a channel that merely does not exist is found out later.
func parse(path string) target {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	ch, err := conda.ParseChannel(parts[0])
	if err != nil {
		return target{}
	}
	t := target{channel: ch, label: conda.MainLabel()}
	parts = parts[1:]
	if len(parts) == 0 || len(parts) == 1 && parts[0] == "" {
		t.kind = top
		return t
	}
	if parts[0] == "label" {
		tail := tailLen(parts)
		if len(parts)-tail < 2 {
			return target{}
		}
		if t.label, err = conda.ParseLabel(strings.Join(parts[1:len(parts)-tail], "/")); err != nil {
			return target{}
		}
		parts = parts[len(parts)-tail:]
	}
	return t.tail(parts)
}

// beside is the kind of a file that lies beside the subdirs; nothing for any other name.
func beside(name string) kind {
	switch name {
	case "notices.json":
		return notices
	case string(index.ChannelData):
		return channelData
	default:
		return nothing
	}
}

// tailLen is how many parts at the end of a label's path are not the label: a file beside the subdirs, SUBDIR/FILE, or
// SUBDIR/shards/FILE.
func tailLen(parts []string) int {
	n := len(parts)
	switch {
	case beside(parts[n-1]) != nothing:
		return 1
	case n >= 3 && parts[n-2] == "shards":
		return 3
	default:
		return 2
	}
}

func (t target) tail(parts []string) target {
	if len(parts) == 1 {
		t.kind = beside(parts[0])
		return t
	}
	var err error
	if t.subdir, err = conda.ParseSubdir(parts[0]); err != nil {
		return target{}
	}
	switch {
	case len(parts) == 3 && parts[1] == "shards":
		return t.shard(parts[2])
	case len(parts) == 2:
		return t.leaf(parts[1])
	default:
		return target{}
	}
}

const shardExt = ".msgpack.zst"

func (t target) shard(name string) target {
	sum, ok := strings.CutSuffix(name, shardExt)
	if !ok || !t.named(sum) {
		return target{}
	}
	t.kind = shard
	return t
}

func (t target) leaf(name string) target {
	switch n := index.Name(name); n {
	case index.RepodataJSON, index.RepodataZst, index.ShardIndex, index.RunExportsJSON, index.RunExportsZst:
		t.kind, t.index = indexFile, n
		return t
	}
	t.kind = artifactFile
	if at := strings.LastIndex(name, sidecarExt); at >= 0 {
		rest := name[at+len(sidecarExt):]
		name = strings.TrimSuffix(name[:at], ".v0") // where prefix.dev has them
		t.kind = sidecar
		if rest != "" {
			sum, ok := strings.CutPrefix(rest, ".")
			if t.kind = oldSidecar; !ok || !t.named(sum) {
				return target{}
			}
		}
	}
	var err error
	if t.file, err = conda.ParseFilename(name); err != nil {
		return target{}
	}
	return t
}

// sidecarExt follows the name of a package in that of its attestations.
const sidecarExt = ".sigs"

// named reads a digest as paths have it: 64 small hexadecimal digits.
func (t *target) named(sum string) bool {
	raw, err := hex.DecodeString(sum)
	copy(t.sha256[:], raw)
	return err == nil && len(raw) == len(t.sha256) && sum == strings.ToLower(sum)
}
