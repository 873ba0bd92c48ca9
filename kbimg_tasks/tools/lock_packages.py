"""Turn what dnf resolved into the files that the installation reads.

Usage: lock_packages RESOLVED --lock FILE --list FILE --count FILE --clock FILE

RESOLVED is what the dnf plugin wrote: one package a line, separated by tabs: name-epoch:version,
checksum, installed bytes, build time, path. `--lock` gets it without the paths, `--list` the paths
alone (a manifest that rpm reads), `--count` the number of packages, and `--clock` the time of the
newest package in seconds since the epoch, which is the time of all files that the build makes.

With `--locked FILE`, a file that an earlier run wrote, the packages must be exactly those of that
file. Otherwise the program fails and lists the differences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kbimg_tasks.tools import lock_format
from kbimg_tasks.tools.lock_format import LockedPackage


def main() -> int:
    """Read one file, write four."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("resolved", type=Path)
    for name in ("lock", "list", "count", "clock"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--locked", type=Path)
    options = parser.parse_args()
    lines = sorted(set(options.resolved.read_text(encoding="utf-8").splitlines()))
    if not lines:
        print("lock_packages: dnf resolved no package at all", file=sys.stderr)
        return 1
    fields = [line.split("\t") for line in lines]
    packages, paths = [LockedPackage.of_fields(row) for row in fields], [row[4] for row in fields]
    if options.locked:
        wanted = {package.nevra: package for package in lock_format.read(options.locked)}
        differences = list(_differences(packages, wanted, options.locked))
        for difference in differences:
            print(f"lock_packages: {difference}", file=sys.stderr)
        if differences:
            return 1
        # For a package given as a file, dnf reports less than the lock has.
        packages = [wanted[package.nevra] for package in packages]
    options.lock.write_text("".join(package.line for package in packages), encoding="utf-8")
    options.list.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    options.count.write_text(f"{len(packages)}\n", encoding="utf-8")
    newest = max(package.build_time for package in packages)
    options.clock.write_text(f"{newest}\n", encoding="utf-8")
    return 0


def _differences(
    packages: Sequence[LockedPackage], wanted: Mapping[str, LockedPackage], lock: Path
) -> Iterator[str]:
    """The differences between the resolved packages and the lock, one line each."""
    found = {package.nevra for package in packages}
    for nevra in sorted(found - set(wanted)):
        yield f"{nevra} would be installed, and is not in {lock}"
    for nevra in sorted(set(wanted) - found):
        yield f"{nevra} of {lock} would not be installed"
    for nevra, checksum, *_ in packages:
        if nevra in wanted and checksum not in (wanted[nevra].checksum, lock_format.NO_CHECKSUM):
            yield f"{nevra} has the checksum {checksum}, and another one in {lock}"


if __name__ == "__main__":
    sys.exit(main())
