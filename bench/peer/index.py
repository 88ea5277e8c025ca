"""Indexes a folder of packages in place with another's indexer: index.py INDEXER FOLDER."""

import asyncio
import os
import pathlib
import sys

import reference

# Here and not where it is needed: conda-index starts processes, which begin by reading this file.
reference.lend_conda()


def by_rattler(folder):
    """rattler's own indexer, as `rattler-index fs` runs it."""
    import rattler.index

    asyncio.run(rattler.index.index_fs(folder, write_zst=True, write_shards=True))
    # All is written. On its way out of Python the library crashes now and then, which says nothing of its work.
    os._exit(0)


def conda_index(folder):
    """conda-index with its own defaults, and everything switched on that a server of packages writes."""
    from conda_index.index import ChannelIndex

    return ChannelIndex(
        folder,
        channel_name=folder.name,
        subdirs=sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")),
        write_zst=True,
        write_run_exports=True,
        write_shards=True,
        write_current_repodata=False,
    )


def by_conda_index(folder):
    conda_index(folder).index(patch_generator=None)


def fill_cache(folder):
    """The first half of conda-index: reads the packages into its cache."""
    index = conda_index(folder)
    for subdir in index.detect_subdirs():
        path = os.path.join(folder, subdir)
        with index.cache_for_subdir(subdir) as cache:
            cache.save_fs_state(path)
            index.extract_subdir_to_cache(subdir, False, False, path, cache)


if __name__ == "__main__":
    by = {"rattler": by_rattler, "conda-index": by_conda_index, "conda-index-cache": fill_cache}
    by[sys.argv[1]](pathlib.Path(sys.argv[2]))
