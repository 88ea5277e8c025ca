package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"
)

// channelName is the name of the one channel that is measured.
const channelName = "bench"

// client speaks to a server on connections that it keeps.
type client struct {
	http          *http.Transport
	server, token string
}

// newClient makes a client that may have so many requests under way.
func newClient(server, token string, connections int) *client {
	return &client{
		http:   &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true},
		server: server, token: token,
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// get returns the body of a path below the server, and its headers.
func (c *client) get(ctx context.Context, path string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return nil, nil, err
	}
	return c.do(req, http.StatusOK)
}

// upload sends a package.
func (c *client) upload(ctx context.Context, name string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+"/api/v1/upload/"+channelName, bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-File-Name", name)
	req.Header.Set("X-File-SHA256", hex.EncodeToString(sum[:]))
	_, _, err = c.do(req, http.StatusOK)
	return err
}

// create makes the channel.
func (c *client) create(ctx context.Context) error {
	return c.send(ctx, http.MethodPost, "", []byte(`{"name":"`+channelName+`","visibility":"public"}`), http.StatusCreated)
}

// trustAnybody has the channel take attestations whoever signed them for whatever channel.
func (c *client) trustAnybody(ctx context.Context) error {
	return c.send(ctx, http.MethodPatch, "/"+channelName, []byte(`{"attestations":{"signer":"any","target_channel":"ignore"}}`), http.StatusOK)
}

// attest adds an attestation to a package that is there.
func (c *client) attest(ctx context.Context, subdir, file string, bundle []byte) error {
	return c.send(ctx, http.MethodPost, "/"+channelName+"/packages/"+subdir+"/"+file+"/attestations", bundle, http.StatusCreated)
}

// send sends JSON to a path below that of all channels.
func (c *client) send(ctx context.Context, method, path string, body []byte, want int) error {
	req, err := http.NewRequestWithContext(ctx, method, c.server+"/api/v1/channels"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	_, _, err = c.do(req, want)
	return err
}

func (c *client) do(req *http.Request, want int) ([]byte, http.Header, error) {
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	if res.StatusCode != want {
		return nil, nil, fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, res.Status, bytes.TrimSpace(b))
	}
	return b, res.Header, nil
}

// inflate unpacks an index file.
func inflate(b []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, nil)
}

// shardPaths reads a shard index: the path of each name's shard, below the server.
func shardPaths(subdir string, index []byte) (map[string]string, error) {
	raw, err := inflate(index)
	if err != nil {
		return nil, err
	}
	var x struct {
		Shards map[string][]byte `msgpack:"shards"`
	}
	if err := msgpack.Unmarshal(raw, &x); err != nil {
		return nil, err
	}
	paths := make(map[string]string, len(x.Shards))
	for name, sum := range x.Shards {
		paths[name] = in(subdir, "shards/"+hex.EncodeToString(sum)+".msgpack.zst")
	}
	return paths, nil
}

// in is the path of a file of a subdir below the server.
func in(subdir, file string) string { return "/" + channelName + "/" + subdir + "/" + file }

// The names of the index files that clients read.
const (
	repodataJSON = "repodata.json"
	repodataZst  = "repodata.json.zst"
	shardIndex   = "repodata_shards.msgpack.zst"
	runExports   = "run_exports.json.zst"
)

// subdirs are those of a generated channel.
func subdirs() []string { return []string{"linux-64", "noarch"} }

// indexPaths are the paths of all index files.
func indexPaths() (paths []string) {
	for _, s := range subdirs() {
		for _, f := range []string{repodataJSON, repodataZst, shardIndex, runExports} {
			paths = append(paths, in(s, f))
		}
	}
	return paths
}

// unchanged asks whether a file is still the one with that validator, and fails unless it is.
func (c *client) unchanged(ctx context.Context, path, tag string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("If-None-Match", tag)
	_, _, err = c.do(req, http.StatusNotModified)
	return err
}
