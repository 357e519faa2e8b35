# SPDX-License-Identifier: Apache-2.0
"""What `pip install truthmark` brings, without extras: `python -m bench.install`.

Counted in the environment of the lock file: the packages that the library needs, and what they
need, with the bytes of their files. The wheel itself and pip are not among them.
"""

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.report import Report

MIB = 1 << 20
MOST_PACKAGES = 61
MOST_MIB = 340
"""What `make test` keeps the installation under; raising them needs a reason in the commit."""


def main() -> int:
    """Measure, write the table, and return 1 if a figure does not hold."""
    needed = closure("truthmark")
    report = Report("install")
    report.add("packages", len(needed), "packages", at_most=MOST_PACKAGES)
    sizes = {name: size(found) for name, found in needed.items()}
    report.add("size of all", sum(sizes.values()) / MIB, "MiB", at_most=MOST_MIB)
    for name in sorted(sizes, key=lambda name: -sizes[name])[:5]:
        report.add(f"size of {name}", sizes[name] / MIB, "MiB")
    return report.write()


def closure(root: str, extras: Iterable[str] = ()) -> dict[str, Distribution]:
    """Return by name what a package needs, directly or not, without the package.

    Args:
        root: The package.
        extras: Those of its extras that are wanted as well.

    Raises:
        PackageNotFoundError: A package that is needed is not here. (`pip check` would miss one
            that is needed only for an extra.)
    """
    found: dict[str, Distribution] = {}
    waiting = [(root, frozenset(extras))]
    seen = set(waiting)
    while waiting:
        name, wanted_extras = waiting.pop()
        found[name] = distribution(name)
        for text in found[name].requires or ():
            wanted = Requirement(text)
            marker = wanted.marker
            if marker and not any(
                marker.evaluate({"extra": extra}) for extra in {"", *wanted_extras}
            ):
                continue
            entry = (canonicalize_name(wanted.name), frozenset(wanted.extras))
            if entry not in seen:
                seen.add(entry)
                waiting.append(entry)
    del found[root]
    return found


def size(package: Distribution) -> int:
    """Return the bytes of a package's files, without what Python compiles from them."""
    files = [file for file in package.files or () if not re.search(r"\.pyc$", file.name)]
    return sum(path.stat().st_size for file in files if (path := file.locate()).is_file())


if __name__ == "__main__":
    sys.exit(main())
