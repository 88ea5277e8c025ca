"""Makes one package from metadata alone, with rattler-build's own packager.

Prints {"path", "file", "identifier"}. --field takes any further argument of assemble_package as
NAME=JSON, for example --field 'depends=["tidelib >=1"]'.
"""

import argparse
import json
import pathlib

import rattler_build

import report


def assemble(args):
    fields = dict(field.split("=", 1) for field in args.field)
    pathlib.Path(args.output).mkdir(parents=True, exist_ok=True)
    package = rattler_build.assemble_package(
        name=args.name,
        version=args.version,
        build_string=args.build,
        target_platform=args.subdir,
        output_dir=pathlib.Path(args.output),
        archive_type=rattler_build.ArchiveType[args.type],
        **{name: json.loads(value) for name, value in fields.items()},
    )
    return {"path": str(package.path), "file": package.path.name, "identifier": package.identifier}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--build", default="0", help="build string")
    parser.add_argument("--subdir", default="noarch")
    parser.add_argument("--output", required=True)
    parser.add_argument("--type", default="Conda", choices=["Conda", "TarBz2"])
    parser.add_argument("--field", action="append", default=[], metavar="NAME=JSON")
    report.run(assemble, parser.parse_args())
