"""List the packages in a folder of installed ones, with their versions and licences: what a binary package carries along.

python packages/bundled.py FOLDER > bundled.txt
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions


def licence(package: Distribution) -> str:
    """As the package names it: an SPDX expression, else its classifiers, else a short text."""
    about = package.metadata
    named = about.get("License-Expression")
    if named:
        return str(named)
    classified = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    text = str(about.get("License") or "").strip().splitlines()
    return ", ".join(classified) or (text[0] if text else "see its own files")


def main(folder: str) -> None:
    """One line each, by name."""
    found = sorted(distributions(path=[folder]), key=lambda package: package.metadata["Name"].lower())
    for package in found:
        if package.metadata["Name"] != "sensorlogd":
            print(f"{package.metadata['Name']:20} {package.version:16} {licence(package)}")


if __name__ == "__main__":
    main(sys.argv[1])
