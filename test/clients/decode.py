"""Reads one index file with libzstd, by the two ways in which conda does. No registry carries conda itself.

Prints {"content": …, "unused": n}: what the first zstd frame holds, its JSON or msgpack as JSON with
hashes as hex, and how many bytes stand after that frame. conda reads shards and shard indexes like
that and never looks at the rest; it reads repodata.json.zst as a stream, through every frame. The
driver fails where the two ways differ, and where a frame asks for more memory than conda grants.
"""

import argparse
import io
import json
import urllib.request

import msgpack

import reference
import report

# conda's own bounds for a shard index, and for a shard (shards.py of conda 26.7): window log, bytes.
INDEX_WINDOW, INDEX_MAX = 27, 128 << 20
SHARD_WINDOW, SHARD_MAX = 24, 16 << 20


def first_frame(data, window, most):
    params = {reference.zstd.DecompressionParameter.window_log_max: window}
    decoder = reference.zstd.ZstdDecompressor(options=params)
    content = decoder.decompress(data, max_length=most + 1)
    if not decoder.eof or len(content) > most:
        raise ValueError(f"no frame of at most {most} bytes ends in these {len(data)}")
    return content, len(decoder.unused_data)


def decode(args):
    with urllib.request.urlopen(args.url) as answer:
        data = answer.read()
    if not args.url.endswith(".zst"):
        return {"content": json.loads(data), "unused": 0}
    bounds = (SHARD_WINDOW, SHARD_MAX) if "/shards/" in args.url else (INDEX_WINDOW, INDEX_MAX)
    content, unused = first_frame(data, *bounds)
    if reference.zstd.ZstdFile(io.BytesIO(data)).read() != content:
        raise ValueError("the first frame alone and the whole stream differ")
    parse = msgpack.unpackb if args.url.endswith(".msgpack.zst") else json.loads
    return {"content": reference.plain(parse(content)), "unused": unused}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a .json, .json.zst or .msgpack.zst file")
    report.run(decode, parser.parse_args())
