"""Reads info/index.json out of a package on a server with conda-package-streaming, conda's own reader.

Prints {"index": {…}, "status": [statuses of the answers]}. Of a .conda file it fetches ranges, beginning
with one that is longer than a small file is.
"""

import argparse
import json

import conda_package_streaming.url
import requests

import report


def peek(args):
    statuses = []
    session = requests.Session()
    session.hooks["response"].append(lambda answer, **_: statuses.append(answer.status_code))
    found = {}
    for tar, member in conda_package_streaming.url.stream_conda_info(args.url, session=session):
        if member.name == "info/index.json":
            found = json.load(tar.extractfile(member))
    return {"index": found, "status": statuses}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    report.run(peek, parser.parse_args())
