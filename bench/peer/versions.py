"""Prints the versions of the peers in Python, as {name: version}."""

import importlib.metadata
import json
import platform

print(
    json.dumps(
        {
            "Python": platform.python_version(),
            "py-rattler": importlib.metadata.version("py-rattler"),
            "conda-index": importlib.metadata.version("conda-index"),
            "sigstore": importlib.metadata.version("sigstore"),
        }
    )
)
