"""The versions of all that this environment has of what the package needs, for `requirements/tested.txt`.

    python scripts/tested_versions.py > requirements/tested.txt
    python scripts/tested_versions.py --licences

What only some machines need is left out: torch chooses its own packages for a GPU.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
from importlib.metadata import Distribution, PackageNotFoundError

from packaging.requirements import Requirement

_OF_MACHINES = ("nvidia-", "cuda-", "triton")


def needed(name: str, extras: frozenset[str], found: dict[str, tuple[Distribution, frozenset[str]]]) -> None:
    """Put a package and all that it needs, as far as they are installed, into `found` by their normalised names."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    try:
        there = importlib.metadata.distribution(name)
    except PackageNotFoundError:
        return
    wanted = extras | (found[key][1] if key in found else frozenset())
    if key in found and wanted == found[key][1]:
        return
    found[key] = there, wanted
    for line in there.requires or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
            needed(one.name, frozenset(one.extras), found)


def licence(of: Distribution) -> str:
    """The licence that a package tells, in a few words."""
    told = of.metadata.get("License-Expression") or ""
    named = [word.rpartition(" :: ")[2] for word in of.metadata.get_all("Classifier", []) if word.startswith("License")]
    return told or ", ".join(named) or (of.metadata.get("License") or "not told").splitlines()[0][:60]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--licences", action="store_true", help="the licence of each package in place of its version")
    options = parser.parse_args()
    found: dict[str, tuple[Distribution, frozenset[str]]] = {}
    needed("anodice", frozenset({"dev"}), found)
    del found["anodice"]
    if not options.licences:
        print("# Versions that the tests pass with: pip install -c requirements/tested.txt -e .")
    for name, (there, _) in sorted(found.items()):
        if not name.startswith(_OF_MACHINES):
            print(f"{name}: {licence(there)}" if options.licences else f"{name}=={there.version.partition('+')[0]}")


if __name__ == "__main__":
    main()
