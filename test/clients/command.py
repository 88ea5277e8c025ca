"""The command line of rattler-build, as far as the workflow files use it, over the Python bindings.

`build` takes the options named below and refuses all others; `upload prefix` and `auth` are the rattler command's,
which are the same code. Unlike the other drivers this one answers as the command does: by its exit status and what it prints.

A channel that is no address, conda-forge for one, is left out: tests build what needs no other channel.
"""

import argparse
import os
import pathlib
import sys
import warnings

import rattler_build

RATTLER = pathlib.Path(__file__).resolve().parents[2] / ".cache/bin/rattler"


def recipes(args):
    if args.recipe:
        return [pathlib.Path(args.recipe).resolve()]
    return sorted(pathlib.Path(args.recipe_dir).resolve().rglob("recipe.yaml"))


def build(args):
    warnings.simplefilter("ignore", DeprecationWarning)
    rattler_build.build_recipes(
        recipes(args),
        up_to=args.up_to,
        target_platform=args.target_platform,
        channel=[c for c in args.channel if "://" in c],
        skip_existing=args.skip_existing,
        render_only=args.render_only,
        output_dir=pathlib.Path("output").resolve(),
    )


def parse():
    parser = argparse.ArgumentParser(prog="rattler-build", description=__doc__, allow_abbrev=False)
    sub = parser.add_subparsers(required=True).add_parser("build", allow_abbrev=False)
    what = sub.add_mutually_exclusive_group(required=True)
    what.add_argument("--recipe")
    what.add_argument("--recipe-dir")
    sub.add_argument("--up-to")
    sub.add_argument("--target-platform")
    sub.add_argument("--skip-existing", choices=["none", "local", "all"])
    sub.add_argument("--render-only", action="store_true")
    sub.add_argument("-c", "--channel", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:3] == ["upload", "prefix"] or sys.argv[1:2] == ["auth"]:
        os.execv(RATTLER, [RATTLER, *sys.argv[1:]])
    build(parse())
