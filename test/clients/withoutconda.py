"""Lets conda-sigstore be imported without conda, whose plugin it is: no registry carries conda itself.

What it makes and verifies attestations with needs three names of conda, and these do what conda's do.
Import this before conda_sigstore.
"""

import hashlib
import pathlib
import re
import sys
import types


class CondaError(Exception):
    pass


def compute_sum(path, algorithm):
    return hashlib.new(algorithm, pathlib.Path(path).read_bytes()).hexdigest()


def split_anaconda_token(url):
    """Takes the token out of the path of a channel, "/t/TOKEN/…"; it is None where there is none."""
    found = re.search(r"/t/([a-zA-Z0-9-]*)", url)
    return (url.replace(found[0], "", 1) if found else url, found[1] if found else None)


NAMES = {
    "conda": {},
    "conda.common": {},
    "conda.common.url": {"split_anaconda_token": split_anaconda_token},
    "conda.exceptions": {"CondaError": CondaError},
    "conda.gateways": {},
    "conda.gateways.disk": {},
    "conda.gateways.disk.read": {"compute_sum": compute_sum},
}

for name, content in NAMES.items():
    module = types.ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module
