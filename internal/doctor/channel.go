package doctor

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"

	"sluice/internal/token"
)

// credential looks whether the server takes the token, and whether the header with it gets through.
func (x *examination) credential(ctx context.Context) {
	if x.Token.IsZero() {
		return
	}
	x.tell(credential(x.ask(ctx, question{path: "/api/v1/me", header: x.bearer()})))
}

func credential(a answer) Finding {
	const check = "token"
	if a.err == nil && a.status == http.StatusOK && a.kind() == "application/json" {
		return ok(check, "the server takes it")
	}
	said, do := a.foreign()
	if a.err == nil && a.ours() {
		do = "Make a new API token; or, if this one works elsewhere, let the proxy pass the Authorization header on"
	}
	return fail(check, said, do)
}

func (x *examination) bearer() map[string]string {
	if x.Token.IsZero() {
		return nil
	}
	return map[string]string{"Authorization": "Bearer " + x.Token.Reveal()}
}

// channel reads the channel's noarch folder, which every client reads, as clients do.
func (x *examination) channel(ctx context.Context) {
	folder := "/" + x.Channel + "/noarch/"
	index, header, ok := x.readable(ctx, folder+"repodata.json")
	if !ok {
		return
	}
	for _, file := range []struct{ name, check string }{
		{"repodata_shards.msgpack.zst", "shard index"}, {"repodata.json.zst", "repodata.json.zst"}, {"repodata.json", "repodata.json"},
	} {
		x.each(indexFile(file.check, strings.HasSuffix(file.name, ".zst"), x.fetch(ctx, folder+file.name, header))...)
	}
	x.tell(x.ranges(ctx, folder, header, index))
	// A token that nobody has, since a proxy may log the path.
	x.tell(pathToken(x.ask(ctx, question{path: "/t/" + token.New(token.API).Reveal() + folder + "repodata.json"}), header != nil))
}

// readable reads a file of the channel, and finds out which headers that takes: nil where the channel is public.
func (x *examination) readable(ctx context.Context, path string) (got answer, header map[string]string, ok bool) {
	open := x.ask(ctx, question{path: path})
	if open.err == nil && open.status == http.StatusOK {
		return open, nil, true
	}
	private := open.err == nil && open.status == http.StatusUnauthorized && open.ours()
	if !private || x.Token.IsZero() {
		x.tell(unreadable(open, x.Channel, private))
		return open, nil, false
	}
	asBearer := x.ask(ctx, question{path: path, header: x.bearer()})
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("token:"+x.Token.Reveal()))
	asBasic := x.ask(ctx, question{path: path, header: map[string]string{"Authorization": basic}})
	for _, f := range privately(asBearer, asBasic) {
		x.tell(f)
		ok = f.Result == OK
	}
	return asBearer, x.bearer(), ok
}

// unreadable says why a channel cannot be read without a token.
func unreadable(a answer, name string, private bool) Finding {
	if private {
		return look("channel", name+" is private: nobody reads it without a token", "Give an API token that may read it, with --token-file FILE")
	}
	said, do := a.foreign()
	return fail("channel", said, do)
}

// privately judges both ways in which clients send a token in a header.
func privately(bearer, basic answer) []Finding {
	const check = "channel"
	var found []Finding
	for _, way := range []struct {
		name string
		answer
	}{{"Bearer", bearer}, {"Basic", basic}} {
		if way.err != nil || way.status != http.StatusOK {
			said, do := way.foreign()
			return append(found, fail(check, "with the token as "+way.name+": "+said, do))
		}
		found = append(found, ok(check, "private, and read with the token as %s", way.name))
	}
	return found
}

// fetched is an index file, asked for in the three ways in which clients ask.
type fetched struct {
	get answer
	// again is asked with the validator of get.
	again, head answer
}

func (x *examination) fetch(ctx context.Context, path string, header map[string]string) fetched {
	// What the clients send: it keeps Go from taking a compression off before it is seen.
	header = with(header, "Accept-Encoding", "gzip, deflate, br, zstd")
	f := fetched{get: x.ask(ctx, question{path: path, header: header})}
	if f.get.err != nil || f.get.status != http.StatusOK {
		return f
	}
	f.again = x.ask(ctx, question{path: path, header: with(header, "If-None-Match", f.get.header.Get("Etag"))})
	f.head = x.ask(ctx, question{method: http.MethodHead, path: path, header: header})
	return f
}

// with is a header with one field more.
func with(header map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	maps.Copy(out, header)
	return out
}

// indexFile judges an index file: everything that is wrong with it, or that nothing is.
func indexFile(name string, compressed bool, f fetched) []Finding {
	if f.get.err != nil || f.get.status != http.StatusOK {
		said, do := f.get.foreign()
		return []Finding{fail(name, said, do)}
	}
	const touched = "Let the proxy compress and change nothing; in nginx: gzip off"
	var found []Finding
	bad := func(said, do string) { found = append(found, fail(name, said, do)) }
	etag, packed := f.get.header.Get("Etag"), f.get.header.Get("Content-Encoding")
	switch {
	case packed != "" && compressed:
		bad("it comes compressed a second time (Content-Encoding "+shown(packed)+"), which confuses clients", touched)
	case packed != "":
		found = append(found, look(name, "a proxy compresses it (Content-Encoding "+shown(packed)+")", touched))
	}
	switch {
	case etag == "":
		bad("it comes without a validator (ETag), so that clients fetch it whole every time", touched)
	case !strings.HasPrefix(etag, `"`):
		bad("its validator is weak: "+shown(etag), touched)
	case f.again.err != nil || f.again.status != http.StatusNotModified:
		bad("with its validator (If-None-Match) it comes whole again: "+status(f.again), "Let the proxy pass If-None-Match on")
	case f.again.header.Get("Etag") != etag:
		bad("304 repeats another validator: "+shown(f.again.header.Get("Etag")), touched)
	}
	if f.head.err != nil || f.head.status != http.StatusOK {
		bad("HEAD is answered otherwise than GET: "+status(f.head), "Let the proxy pass HEAD on")
	}
	if found == nil {
		found = append(found, ok(name, "GET, HEAD, and 304 with the same validator"))
	}
	return found
}

func status(a answer) string {
	if a.err != nil {
		return shown(a.err.Error())
	}
	return fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
}

// aPackage finds a file name, NAME-VERSION-BUILD, in repodata.json.
var aPackage = regexp.MustCompile(`"([0-9A-Za-z_.-]+-[0-9A-Za-z_.+!]+-[0-9A-Za-z_.+!]+\.(?:conda|tar\.bz2))"\s*:`)

// ranges asks for the beginning of a package, as clients do that read its metadata alone.
func (x *examination) ranges(ctx context.Context, folder string, header map[string]string, index answer) Finding {
	m := aPackage.FindSubmatch(index.body)
	if m == nil {
		return ok("package", "the folder lists none yet; ranges were not tried")
	}
	return ranged(string(m[1]), x.ask(ctx, question{path: folder + string(m[1]), header: with(header, "Range", "bytes=0-1")}))
}

func ranged(name string, a answer) Finding {
	const check = "package"
	switch {
	case a.err == nil && a.status == http.StatusPartialContent && strings.HasPrefix(a.header.Get("Content-Range"), "bytes 0-1/") && len(a.body) == 2:
		return ok(check, "ranges of %s can be read", shown(name))
	case a.err == nil && a.status == http.StatusOK:
		return look(check, "a range of "+shown(name)+" is answered with the whole file", "Let the proxy pass Range on")
	}
	said, do := a.foreign()
	return fail(check, shown(name)+": "+said, do)
}

// pathToken judges the answer to a token in the path that nobody has: a public channel does not look at it, a
// private one refuses it.
func pathToken(a answer, private bool) Finding {
	const check = "/t/ path"
	refused := a.err == nil && a.status/100 == 4 && a.ours()
	if private && refused || !private && a.err == nil && a.status == http.StatusOK {
		return ok(check, "a token in the path reaches the server")
	}
	said, do := a.foreign()
	return fail(check, said, do)
}
