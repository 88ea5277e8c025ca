"""Verifies one bundle many times with sigstore for Python, and prints how many milliseconds one time takes.

Arguments: the file of the trusted root, that of the bundle, the SHA-256 in hexadecimal digits, and how many times. The
program's start and reading the root are not counted, and nothing is fetched.
"""

import json
import pathlib
import sys
import time

from sigstore import dsse, hashes, models
from sigstore.verify import Verifier, policy
from sigstore_models import trustroot
from sigstore_models.common.v1 import HashAlgorithm

root, bundle = (pathlib.Path(path).read_text() for path in sys.argv[1:3])
verifier = Verifier(trusted_root=models.TrustedRoot(trustroot.v1.TrustedRoot.from_json(root)))
digest = hashes.Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(sys.argv[3]))
times = int(sys.argv[4])


def verify():
    """What a user of the library does with a bundle, whoever signed it."""
    _, payload = verifier.verify_dsse(models.Bundle.from_json(bundle), policy.UnsafeNoOp())
    if not dsse.Statement(payload)._matches_digest(digest):
        raise ValueError("the statement has no subject with the digest")


verify()  # what is loaded at the first time is not the check
began = time.perf_counter()
for _ in range(times):
    verify()
print(json.dumps({"milliseconds": (time.perf_counter() - began) * 1000 / times}))
