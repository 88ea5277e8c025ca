"""Makes and verifies attestations with sigstore and conda-sigstore, an own instance of sigstore or the public one.

sign makes the bundle of a package as "conda sigstore attest" does, in the CI job that it runs in. verify
reads cases from standard input, {"roots": {name: trusted root}, "cases": [{"name", "root", "bundle",
"file", "sha256", "channel"}]}, and prints {"verdicts": {name: {client: why not, "" where it accepts}}}.
Each bundle is its text, and nothing is fetched.
"""

import argparse
import json
import pathlib
import sys

import withoutconda  # noqa: F401 # before conda_sigstore

import report
from conda_sigstore import attestation, transport, verification
from sigstore import dsse, hashes, models
from sigstore.verify import Verifier, policy
from sigstore_models import trustroot
from sigstore_models.common.v1 import HashAlgorithm


def sign(args):
    made = attestation.create_attestation(
        args.package, target_channel=args.channel, output=args.output, trust_config_path=args.trust_config
    )
    return {"bundle": str(made)}


def with_sigstore(verifier, case):
    """What "sigstore verify" does with a bundle, whoever signed it."""
    bundle = models.Bundle.from_json(case["bundle"])
    kind, payload = verifier.verify_dsse(bundle, policy.UnsafeNoOp())
    if kind != dsse.Envelope._TYPE:
        raise ValueError(f"expected JSON payload for DSSE, got {kind}")
    digest = hashes.Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(case["sha256"]))
    if not dsse.Statement(payload)._matches_digest(digest):
        raise ValueError("in-toto statement has no subject for the digest")


def with_conda_sigstore(verifier, case):
    """What "conda sigstore verify" does with a sidecar, whoever signed it."""
    sidecar = transport.SidecarTransport.parse(f"[{case['bundle']}]".encode())
    result = verification.verify_bundles(
        sidecar,
        artifact_name=case["file"],
        artifact_sha256=case["sha256"],
        verifier=verification.SigstoreVerifier(verifier=verifier),
        channel=case["channel"] or None,
    )
    if not result.verified:
        raise ValueError("; ".join(f"{f.code}: {f.message}" for f in result.failures))


CLIENTS = {"sigstore": with_sigstore, "conda-sigstore": with_conda_sigstore}


def why_not(check, verifier, case):
    try:
        check(verifier, case)
    except Exception as err:  # of whatever kind: a client that gives up has not accepted
        return f"{type(err).__name__}: {err}"
    return ""


def verify(_):
    asked = json.load(sys.stdin)
    verifiers = {
        name: Verifier(trusted_root=models.TrustedRoot(trustroot.v1.TrustedRoot.from_json(json.dumps(root))))
        for name, root in asked["roots"].items()
    }
    return {
        "verdicts": {
            case["name"]: {
                client: why_not(check, verifiers[case["root"]], case) for client, check in CLIENTS.items()
            }
            for case in asked["cases"]
        }
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("sign")
    command.add_argument("package", type=pathlib.Path)
    command.add_argument("--channel", required=True)
    command.add_argument("--output", required=True)
    command.add_argument("--trust-config", required=True)
    command.set_defaults(work=sign)
    commands.add_parser("verify").set_defaults(work=verify)
    args = parser.parse_args()
    report.run(args.work, args)
