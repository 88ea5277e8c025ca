"""Uploads packages with rattler-build, as `rattler-build upload prefix` does.

Without --api-key (or PREFIX_API_KEY) the client looks for a CI job around it (GITHUB_ACTIONS and
its two token variables, GITLAB_CI …), exchanges that job's identity token, and falls back to what
RATTLER_AUTH_FILE holds for the host. Prints {"uploaded": [file names], "seconds"}.

The Python binding throws away the client's log lines. So the sentence of a refused *exchange*,
which the command line prints as a warning, is not in the error here; the sentence of a refused
upload is.
"""

import argparse
import os
import pathlib
import time

import rattler_build

import report


def upload(args):
    start = time.monotonic()
    rattler_build.upload_package_to_prefix(
        args.package,
        args.url,
        args.channel,
        api_key=args.api_key,
        skip_existing=args.skip_existing,
        force=args.force,
        attestation_file=args.attestation,
    )
    return {
        "uploaded": [pathlib.Path(p).name for p in args.package],
        "seconds": round(time.monotonic() - start, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="address of the server, not of the channel")
    parser.add_argument("--channel", required=True, help="name of the channel")
    parser.add_argument("--api-key", default=os.environ.get("PREFIX_API_KEY"))
    parser.add_argument("--skip-existing", action="store_true", help="a 409 is no failure")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--attestation", help="sigstore bundle to send along")
    parser.add_argument("package", nargs="+")
    report.run(upload, parser.parse_args())
