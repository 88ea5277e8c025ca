"""Sorts version strings as rattler orders them. Reads a JSON list of strings from standard input.

Prints {"groups": [[equal versions, in their order of arrival]…] from old to new,
"invalid": {version: why}}.
"""

import argparse
import json
import sys

import rattler

import report


def order(_):
    valid, invalid = [], {}
    for text in json.load(sys.stdin):
        try:
            valid.append((rattler.Version(text), text))
        except Exception as err:
            invalid[text] = str(err)
    valid.sort(key=lambda pair: pair[0])
    groups, last = [], None
    for version, text in valid:
        if last is None or version != last:
            groups.append([])
        groups[-1].append(text)
        last = version
    return {"groups": groups, "invalid": invalid}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    report.run(order, parser.parse_args())
