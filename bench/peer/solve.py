"""Solves for the same environment twice with rattler: solve.py CHANNEL SPEC…

The first time nothing is cached; the second time, in a new gateway, what the first one left on the disk.
Prints {"cold": seconds, "warm": seconds, "records": how many packages}.
"""

import asyncio
import json
import os
import pathlib
import sys
import time

import rattler


def gateway():
    return rattler.Gateway(
        cache_dir=pathlib.Path(os.environ["RATTLER_CACHE_DIR"]) / "repodata",
        default_config=rattler.SourceConfig(sharded_enabled=True, zstd_enabled=False, bz2_enabled=False),
        client=rattler.Client.default_client(),
    )


async def solve(channel, specs):
    begin = time.perf_counter()
    records = await rattler.solve([channel], specs, gateway=gateway(), platforms=["linux-64", "noarch"])
    return time.perf_counter() - begin, len(records)


async def main(channel, *specs):
    (cold, found), (warm, again) = await solve(channel, specs), await solve(channel, specs)
    if found != again:
        raise SystemExit(f"{found} packages without a cache, {again} with one")
    print(json.dumps({"cold": cold, "warm": warm, "records": found}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    sys.stdout.flush()
    os._exit(0)  # on its way out of Python the library crashes now and then: see index.py
