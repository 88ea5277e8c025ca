"""Builds recipes with rattler-build, as `rattler-build build --recipe … -c … --skip-existing=…` does.

Prints {"built": [{"file", "path", "subdir", "size", "sha256"}], "skipped": [recipe names]}, sorted
by file name. A recipe is skipped when its run left no new package in the output folder.
"""

import argparse
import contextlib
import hashlib
import pathlib
import sys
import warnings

import rattler_build

import report


def recipes(paths):
    """The recipe files that paths name: a file is itself, a folder every recipe.yaml below it.

    Absolute, for the build script runs in another folder.
    """
    for path in (pathlib.Path(p).resolve() for p in paths):
        yield from sorted(path.rglob("recipe.yaml")) if path.is_dir() else [path]


def packages(folder):
    return {p for end in ("*/*.conda", "*/*.tar.bz2") for p in folder.glob(end)}


def describe(path):
    content = path.read_bytes()
    return {
        "file": path.name,
        "path": str(path),
        "subdir": path.parent.name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@contextlib.contextmanager
def shown_logs(output):
    """Shows what failed scripts printed: the binding's error says no more than that one failed."""
    try:
        yield
    except Exception:
        for log in sorted(output.glob("bld/*/work/*.log")):
            print(f"--- {log}", log.read_text(errors="replace"), sep="\n", file=sys.stderr)
        raise


def build(args):
    output = pathlib.Path(args.output).resolve()
    files = list(recipes(args.recipe))
    names = [rattler_build.Stage0Recipe.from_file(f).package.to_dict()["name"] for f in files]
    before = packages(output)
    with warnings.catch_warnings(), shown_logs(output):
        # The newer call builds one recipe at a time; this one orders them and is what the
        # command line calls.
        warnings.simplefilter("ignore", DeprecationWarning)
        rattler_build.build_recipes(
            files,
            channel=args.channel,
            output_dir=output,
            skip_existing=args.skip_existing,
            package_format=args.package_format,
            test=args.test,
        )
    built = sorted(map(describe, packages(output) - before), key=lambda p: p["file"])
    done = {p["file"].rsplit("-", 2)[0] for p in built}
    return {"built": built, "skipped": sorted(n for n in names if n not in done)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", action="append", required=True, help="recipe.yaml, or a folder with some below it")
    parser.add_argument("--channel", action="append", required=True, help="address of a channel, first has priority")
    parser.add_argument("--output", required=True, help="folder for SUBDIR/FILE")
    parser.add_argument("--skip-existing", default="all", choices=["none", "local", "all"])
    parser.add_argument("--package-format", default="conda", help="conda or tar-bz2, and :LEVEL if wanted")
    parser.add_argument("--test", default="native", choices=["skip", "native"], help="whether to run the recipes' tests")
    report.run(build, parser.parse_args())
