package servertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"
)

// Index is what a client learns from all index files of one subdir.
type Index struct {
	// State is the same for the files of one generation and for no others: what their validators share.
	State string
	// Records are those of both formats by file name, as canonical JSON without run_exports.
	Records map[string]string
	// RunExports are those of the same files.
	RunExports map[string]string
	// SHA256 and Size are what the records say of the files.
	SHA256 map[string]string
	Size   map[string]int64
	// Shards is how many shards the index names. All of them were fetched.
	Shards int
}

// ErrMoved says that the files that were read belong to several generations, because somebody published
// meanwhile. Read again.
var ErrMoved = errors.New("the index moved on between two files")

// ReadIndex reads every index file of a subdir, given by its address, and every shard, and compares what
// they say. Its error is ErrMoved, or says where they disagree.
func ReadIndex(ctx context.Context, subdir, bearer string) (*Index, error) {
	r := &reader{ctx: ctx, subdir: strings.TrimSuffix(subdir, "/") + "/", bearer: bearer}
	plain := r.file("repodata.json")
	packed := r.inflate(r.file("repodata.json.zst"))
	exports := r.file("run_exports.json")
	packedExports := r.inflate(r.file("run_exports.json.zst"))
	shardIndex := r.inflate(r.file("repodata_shards.msgpack.zst"))
	switch {
	case r.err != nil:
		return nil, r.err
	case len(r.states) > 1:
		return nil, ErrMoved
	case !bytes.Equal(plain, packed):
		return nil, errors.New("repodata.json and repodata.json.zst differ")
	case !bytes.Equal(exports, packedExports):
		return nil, errors.New("run_exports.json and run_exports.json.zst differ")
	}
	x := &Index{SHA256: map[string]string{}, Size: map[string]int64{}, RunExports: map[string]string{}}
	for x.State = range r.states { //nolint:revive // there is one
	}
	if err := errors.Join(x.flat(plain), x.runExports(exports)); err != nil {
		return nil, err
	}
	sharded := r.shards(shardIndex, &x.Shards)
	if r.err != nil {
		return nil, r.err
	}
	return x, x.compare(sharded)
}

// compare compares the records of repodata.json with those of the shards.
func (x *Index) compare(sharded map[string]map[string]any) error {
	for name := range x.RunExports {
		if _, ok := x.Records[name]; !ok {
			return fmt.Errorf("%s has run_exports and no record", name)
		}
	}
	for name := range sharded {
		if _, ok := x.Records[name]; !ok {
			return fmt.Errorf("%s is in a shard and not in repodata.json", name)
		}
	}
	for name, want := range x.Records {
		record, ok := sharded[name]
		if !ok {
			return fmt.Errorf("%s is in repodata.json and in no shard", name)
		}
		exports := canonical(map[string]any{"run_exports": record["run_exports"]})
		delete(record, "run_exports")
		if got := canonical(record); got != want {
			return fmt.Errorf("%s: its shard says %s, repodata.json %s", name, got, want)
		}
		if exports != x.RunExports[name] {
			return fmt.Errorf("%s: its shard exports %s, run_exports.json says %s", name, exports, x.RunExports[name])
		}
	}
	return nil
}

// flat reads repodata.json.
func (x *Index) flat(b []byte) error {
	records, err := members(b)
	if err != nil {
		return fmt.Errorf("repodata.json: %w", err)
	}
	x.Records = map[string]string{}
	for name, r := range records {
		x.Records[name] = canonical(r)
		x.SHA256[name], _ = r["sha256"].(string)
		n, _ := r["size"].(json.Number)
		if x.Size[name], err = n.Int64(); err != nil {
			return fmt.Errorf("repodata.json: size of %s: %w", name, err)
		}
	}
	return nil
}

// runExports reads run_exports.json.
func (x *Index) runExports(b []byte) error {
	records, err := members(b)
	if err != nil {
		return fmt.Errorf("run_exports.json: %w", err)
	}
	for name, r := range records {
		x.RunExports[name] = canonical(r)
	}
	return nil
}

// members reads what stands below packages and packages.conda.
func members(b []byte) (map[string]map[string]any, error) {
	var file struct {
		Packages      map[string]map[string]any `json:"packages"`
		PackagesConda map[string]map[string]any `json:"packages.conda"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	out := map[string]map[string]any{}
	maps.Copy(out, file.Packages)
	maps.Copy(out, file.PackagesConda)
	return out, nil
}

// canonical is v as JSON with sorted keys, digests in hexadecimal.
func canonical(v map[string]any) string {
	for k, field := range v {
		if d, ok := field.([]byte); ok {
			v[k] = hex.EncodeToString(d)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// reader reads the files of one subdir until something fails.
type reader struct {
	ctx    context.Context //nolint:containedctx // it lives for one call of ReadIndex
	subdir string
	bearer string
	states map[string]bool
	err    error
}

// file fetches an index file and notes the generation that its validator names.
func (r *reader) file(name string) []byte {
	b, h := r.get(name)
	state, _, ok := strings.Cut(strings.Trim(h.Get("ETag"), `"`), "-")
	if r.err == nil && !ok {
		r.err = fmt.Errorf("%s: strange validator %q", name, h.Get("ETag"))
	}
	if r.states == nil {
		r.states = map[string]bool{}
	}
	r.states[state] = true
	return b
}

func (r *reader) get(name string) ([]byte, http.Header) {
	if r.err != nil {
		return nil, nil
	}
	b, h, err := r.fetch(name)
	if err != nil {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
	return b, h
}

func (r *reader) fetch(name string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.subdir+name, nil)
	if err != nil {
		return nil, nil, err
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s: %s", res.Status, bytes.TrimSpace(b))
	}
	return b, res.Header, nil
}

func (r *reader) inflate(b []byte) []byte {
	if r.err != nil {
		return nil
	}
	d, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
	if err == nil {
		defer d.Close()
		b, err = io.ReadAll(d)
	}
	r.err = err
	return b
}

// shards fetches every shard that the index names and returns the records in them.
func (r *reader) shards(index []byte, count *int) map[string]map[string]any {
	var x struct {
		Shards map[string][]byte `msgpack:"shards"`
	}
	if r.err == nil {
		r.err = msgpack.Unmarshal(index, &x)
	}
	out := map[string]map[string]any{}
	for name, sum := range x.Shards {
		b, _ := r.get("shards/" + hex.EncodeToString(sum) + ".msgpack.zst")
		if got := sha256.Sum256(b); r.err == nil && !bytes.Equal(got[:], sum) {
			r.err = fmt.Errorf("the shard of %s has another hash than its name", name)
		}
		r.shard(name, r.inflate(b), out)
		*count++
	}
	return out
}

func (r *reader) shard(name string, b []byte, out map[string]map[string]any) {
	var s struct {
		Packages      map[string]map[string]any `msgpack:"packages"`
		PackagesConda map[string]map[string]any `msgpack:"packages.conda"`
	}
	if r.err == nil {
		r.err = msgpack.Unmarshal(b, &s)
	}
	if r.err == nil && len(s.Packages)+len(s.PackagesConda) == 0 {
		r.err = fmt.Errorf("the shard of %s is empty", name)
	}
	for _, files := range []map[string]map[string]any{s.Packages, s.PackagesConda} {
		for file, record := range files {
			if record["name"] != name && r.err == nil {
				r.err = fmt.Errorf("the shard of %s holds %s", name, file)
			}
			out[file] = record
		}
	}
}

// Listed says why a file is not listed in each form of a subdir's index, as they are when it is called; nil
// when it is. Between two of them the index may move on, but never back.
func Listed(ctx context.Context, subdir, bearer, name, file string) error {
	r := &reader{ctx: ctx, subdir: strings.TrimSuffix(subdir, "/") + "/", bearer: bearer}
	forms := map[string][]byte{
		"repodata.json": r.file("repodata.json"), "repodata.json.zst": r.inflate(r.file("repodata.json.zst")),
		"run_exports.json": r.file("run_exports.json"), "run_exports.json.zst": r.inflate(r.file("run_exports.json.zst")),
	}
	var x struct {
		Shards map[string][]byte `msgpack:"shards"`
	}
	if index := r.inflate(r.file("repodata_shards.msgpack.zst")); r.err == nil {
		r.err = msgpack.Unmarshal(index, &x)
	}
	shard, _ := r.get("shards/" + hex.EncodeToString(x.Shards[name]) + ".msgpack.zst")
	forms["shard"] = r.inflate(shard)
	if r.err != nil {
		return r.err
	}
	for form, b := range forms {
		if !bytes.Contains(b, []byte(file)) {
			return fmt.Errorf("%s does not list %s", form, file)
		}
	}
	return nil
}
