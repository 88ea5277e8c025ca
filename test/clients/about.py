"""Prints the version of each client, {"clients": {name: version}}, for logs and the docs."""

import argparse
import importlib.metadata
import json
import pathlib
import subprocess

import report

PYTHON = ["py-rattler", "py-rattler-build", "conda-index", "conda-package-streaming"]

ROOT = pathlib.Path(__file__).parent.parent.parent
PROGRAMS = {"rattler": ROOT / ".cache/bin/rattler", "node": "node", "chromium": "chromium"}


def about(_):
    clients = {name: importlib.metadata.version(name) for name in PYTHON}
    installed = ROOT / "test/node_modules/@conda-org/rattler/package.json"
    clients["@conda-org/rattler"] = json.loads(installed.read_text())["version"]
    for name, program in PROGRAMS.items():
        ran = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        clients[name] = ran.stdout.splitlines()[0]
    return {"clients": clients}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    report.run(about, parser.parse_args())
