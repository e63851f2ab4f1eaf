"""List the packages in a folder of installed ones, with their versions and licences: what a binary package carries along.

python packages/bundled.py FOLDER > bundled.txt
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, PackageMetadata, distributions


def licence(package: Distribution) -> str:
    """As the package names it: an SPDX expression, else its classifiers, else a short text."""
    about = package.metadata
    if named := first(about, "License-Expression"):
        return named
    classified = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    text = first(about, "License").strip().splitlines()
    return ", ".join(classified) or (text[0] if text else "see its own files")


def first(about: PackageMetadata, field: str) -> str:
    """Empty when there is none."""
    return str((about.get_all(field) or [""])[0])


def main(folder: str) -> None:
    """One line each, by name."""
    found = sorted(distributions(path=[folder]), key=lambda package: package.metadata["Name"].lower())
    for package in found:
        if package.metadata["Name"] != "sensorlogd":
            print(f"{package.metadata['Name']:20} {package.version:16} {licence(package)}")


if __name__ == "__main__":
    main(sys.argv[1])
