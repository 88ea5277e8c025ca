"""Indexes a folder of packages (SUBDIR/FILE) with another's indexer, and prints what it wrote.

Prints {"subdirs": {subdir: {"repodata": {…}, "run_exports": {…} or null,
"shard_index": {"info": {…}, "shards": {name: hex}}, "shards": {name: {…}}}}, "channeldata": {…} or null}.
Hashes, which are bytes in shards, are hex. The folder itself is left alone: a copy is indexed, which --keep leaves behind
as a channel to serve.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import sys
import tempfile
import types

import msgpack
import rattler
import rattler.index

import report

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


async def by_rattler(folder, patches):
    """rattler's own indexer, as `rattler-index fs` runs it."""
    await rattler.index.index_fs(folder, repodata_patch=patches, write_zst=True, write_shards=True, force=True)


async def by_conda_index(folder, patches):
    """conda-index, with everything switched on that a server of packages writes."""
    lend_conda()
    from conda_index.index import ChannelIndex
    from conda_index.utils import DEFAULT_SUBDIRS

    index = ChannelIndex(
        folder,
        channel_name=folder.name,
        subdirs=[p.name for p in folder.iterdir() if p.name in DEFAULT_SUBDIRS],
        threads=1,
        write_zst=True,
        write_run_exports=True,
        write_shards=True,
        write_current_repodata=False,
    )
    index.index(patch_generator=str(folder / "noarch" / patches) if patches else None)
    index.update_channeldata()


def lend_conda():
    """Puts in place the two names that conda-index takes from conda, which no registry carries.

    One orders versions, which matters to channeldata.json alone, and rattler's order is that of conda; the
    other lists the folders that count as subdirs.
    """
    version = types.ModuleType("conda.models.version")
    version.VersionOrder = rattler.Version
    constants = types.ModuleType("conda.base.constants")
    constants.PLATFORM_DIRECTORIES = (
        "noarch", "linux-32", "linux-64", "linux-aarch64", "linux-ppc64le", "linux-riscv64",
        "linux-s390x", "osx-64", "osx-arm64", "win-32", "win-64", "win-arm64", "emscripten-wasm32",
    )  # fmt: skip
    for module in (version, constants):
        for end in ("conda", module.__name__.rpartition(".")[0]):
            sys.modules.setdefault(end, types.ModuleType(end))
        sys.modules[module.__name__] = module


def load(path):
    return json.loads(path.read_text()) if path.exists() else None


def unpack(path):
    return plain(msgpack.unpackb(zstd.decompress(path.read_bytes())))


def plain(value):
    """The value with bytes as hex, for JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def contents(subdir):
    index = unpack(subdir / "repodata_shards.msgpack.zst")
    base = subdir / index["info"]["shards_base_url"]
    return {
        "repodata": load(subdir / "repodata.json"),
        "run_exports": load(subdir / "run_exports.json"),
        "shard_index": index,
        "shards": {name: unpack(base / f"{hash}.msgpack.zst") for name, hash in index["shards"].items()},
    }


async def reference(args):
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(sys.stderr):
        folder = pathlib.Path(scratch, "channel")
        only = shutil.ignore_patterns("*.json", "*.zst", "*.bz2.part", ".*", "bld", "test", "*.txt")
        shutil.copytree(args.folder, folder, ignore=only)
        (folder / "noarch").mkdir(exist_ok=True)
        await {"rattler": by_rattler, "conda-index": by_conda_index}[args.by](folder, args.patches)
        if args.keep:
            shutil.copytree(folder, args.keep, dirs_exist_ok=True)
        found = [p.parent for p in folder.glob("*/repodata.json")]
        return {
            "subdirs": {subdir.name: contents(subdir) for subdir in sorted(found)},
            "channeldata": load(folder / "channeldata.json"),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by", default="rattler", choices=["rattler", "conda-index"])
    parser.add_argument("--patches", metavar="FILE", help="package in noarch that holds patch_instructions.json of the subdirs")
    parser.add_argument("--keep", metavar="DIR", help="where to leave packages and index")
    parser.add_argument("folder")
    report.run(reference, parser.parse_args())
