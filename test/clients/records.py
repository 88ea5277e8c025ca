"""Sorts records of one package name as rattler prefers them. Reads from standard input a JSON list of
{"version", "build_number", "timestamp" in milliseconds or 0, "track_features": [string]}.

Prints {"groups": [[places in the list, of records that are equal to it]…]} from worst to best.
"""

import argparse
import datetime
import json
import sys

import rattler

import report


def record(fields):
    made = rattler.PackageRecord(
        "x", fields["version"], rattler.BuildString("0"), fields["build_number"], "noarch"
    )
    if fields["track_features"]:
        made.track_features = fields["track_features"]
    if fields["timestamp"]:
        made.timestamp = datetime.datetime.fromtimestamp(fields["timestamp"] / 1000, datetime.timezone.utc)
    return made


def order(_):
    records = [(record(fields), place) for place, fields in enumerate(json.load(sys.stdin))]
    records.sort(key=lambda pair: pair[0])
    groups, last = [], None
    for made, place in records:
        if last is None or last < made:
            groups.append([])
        groups[-1].append(place)
        last = made
    return {"groups": groups}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    report.run(order, parser.parse_args())
