"""Reads everything of channels in every way: with py-rattler over shards, .zst and plain JSON, and each file
with libzstd and the parsers of Python, as conda does.

Prints {"channels": {address: {"query": {way: {"names": [sorted], "records": {file name: {record}},
"removed": [file names]}}, "files": {path below the channel: its content}}}}. What py-rattler has kept from an earlier call it asks about again,
if the server says so.
"""

import argparse
import asyncio
import types

import read
import report
from decode import decode


async def query(channel, args, via):
    gateway = read.gateway(types.SimpleNamespace(via=via, cache="cache-or-fetch"))
    names = await gateway.names([channel], args.subdir)
    found = await gateway.query([channel], args.subdir, args.name, recursive=False)
    return {
        "names": sorted({name.normalized for name in names}),
        "records": {r.file_name: read.as_json(r) for group in found for r in group},
        "removed": sorted(str(getattr(r, "url", r)).rpartition("/")[2] for group in found.removed for r in group),
    }


def contents(channel, subdirs):
    def content(path):
        found = decode(types.SimpleNamespace(url=f"{channel}/{path}"))
        if found["unused"]:
            raise ValueError(f"{found['unused']} bytes stand behind the frame of {path}")
        return found["content"]

    files = {name: content(name) for name in ("channeldata.json", "notices.json")}
    for subdir in subdirs:
        names = ["repodata.json", "repodata.json.zst", "run_exports.json", "run_exports.json.zst", "repodata_shards.msgpack.zst"]
        index = {name: content(f"{subdir}/{name}") for name in names}
        hashes = index["repodata_shards.msgpack.zst"]["shards"]
        files[subdir] = {**index, "shards": {name: content(f"{subdir}/shards/{hash}.msgpack.zst") for name, hash in hashes.items()}}
    return files


async def whole(channel, args):
    ways = list(read.SOURCES)
    found = await asyncio.gather(*(query(channel, args, via) for via in ways))
    return {"query": dict(zip(ways, found, strict=True)), "files": contents(channel, args.subdir)}


async def everything(args):
    return {"channels": {channel: await whole(channel, args) for channel in args.channel}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channel", action="append", required=True, help="address, with credentials if wanted")
    parser.add_argument("--subdir", action="append", required=True)
    parser.add_argument("--name", action="append", required=True, help="a package name to look for")
    report.run(everything, parser.parse_args())
