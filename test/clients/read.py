"""Reads a channel with py-rattler, the library under pixi: names, query, solve, install, inspect.

--via picks what the client may use of a channel: shards (then nothing else is asked for), zst
(repodata.json.zst) or json (repodata.json). Credentials come from RATTLER_AUTH_FILE.

  names    {"names": [sorted]}
  query    {"records": {url: record}, "removed": {url: reason…}}
  solve    {"records": [record with "url", "file_name", "channel"]}, in order of file name
  install  as solve, and "prefix"; --run COMMAND… then runs a command of the new environment and
           adds its "stdout"
  inspect  {"index": {…}}: info/index.json of one package, fetched by ranges
"""

import argparse
import json
import os
import pathlib
import subprocess

import rattler

import report

# What each way switches off. Shards fall back to the others, silently: whoever wants to know that
# shards were used looks at what was asked of the server.
SOURCES = {
    "shards": dict(sharded_enabled=True, zstd_enabled=False, bz2_enabled=False),
    "zst": dict(sharded_enabled=False, zstd_enabled=True, bz2_enabled=False),
    "json": dict(sharded_enabled=False, zstd_enabled=False, bz2_enabled=False),
}


def gateway(args):
    return rattler.Gateway(
        cache_dir=pathlib.Path(os.environ["RATTLER_CACHE_DIR"]) / "repodata",
        default_config=rattler.SourceConfig(cache_action=args.cache, **SOURCES[args.via]),
        client=rattler.Client.default_client(),
    )


def as_json(record):
    return {
        **json.loads(record.to_json()),
        "url": record.url,
        "file_name": record.file_name,
        "channel": record.channel,
    }


async def names(args):
    found = await gateway(args).names(args.channel, args.platform)
    return {"names": sorted({name.normalized for name in found})}


async def query(args):
    found = await gateway(args).query(args.channel, args.platform, args.spec, recursive=args.recursive)
    records = {r.url: as_json(r) for group in found for r in group}
    removed = {str(getattr(r, "url", r)): str(r) for group in found.removed for r in group}
    return {"records": records, "removed": removed}


async def resolve(args):
    return await rattler.solve(args.channel, args.spec, gateway=gateway(args), platforms=args.platform)


def listed(records):
    return sorted(map(as_json, records), key=lambda r: r["file_name"])


async def solve(args):
    return {"records": listed(await resolve(args))}


async def install(args):
    records = await resolve(args)
    await rattler.install(
        records,
        target_prefix=args.prefix,
        cache_dir=pathlib.Path(os.environ["RATTLER_CACHE_DIR"]) / "pkgs",
        show_progress=False,
        client=rattler.Client.default_client(),
    )
    answer = {"records": listed(records), "prefix": args.prefix}
    if args.run:
        program = pathlib.Path(args.prefix, "bin", args.run[0])
        ran = subprocess.run([program, *args.run[1:]], capture_output=True, text=True, check=True)
        answer["stdout"] = ran.stdout
    return answer


async def inspect(args):
    index = await rattler.IndexJson.from_remote_url(rattler.Client.default_client(), args.url)
    if index is None:
        raise LookupError("the package has no info/index.json")
    return {
        "index": {
            "name": index.name.normalized,
            "version": str(index.version),
            "build": str(index.build),
            "build_number": index.build_number,
            "depends": index.depends,
            "subdir": index.subdir,
        }
    }


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    does = parser.add_subparsers(required=True)
    for work in (names, query, solve, install):
        sub = does.add_parser(work.__name__)
        sub.set_defaults(work=work)
        sub.add_argument("--channel", action="append", required=True, help="address, with credentials if wanted")
        sub.add_argument("--via", default="shards", choices=list(SOURCES))
        sub.add_argument("--platform", action="append", help="default: this one's and noarch")
        sub.add_argument("--cache", default="cache-or-fetch", choices=["cache-or-fetch", "no-cache"])
        if work is not names:
            sub.add_argument("--spec", action="append", required=True)
        if work is query:
            sub.add_argument("--recursive", action="store_true")
        if work is install:
            sub.add_argument("--prefix", required=True)
            sub.add_argument("--run", nargs=argparse.REMAINDER, help="last: a command in PREFIX/bin, and its arguments")
    sub = does.add_parser("inspect")
    sub.set_defaults(work=inspect)
    sub.add_argument("url")
    args = parser.parse_args()
    if getattr(args, "platform", ...) is None:
        args.platform = [str(rattler.Subdir.current()), "noarch"]
    return args


if __name__ == "__main__":
    args = parse()
    report.run(args.work, args)
