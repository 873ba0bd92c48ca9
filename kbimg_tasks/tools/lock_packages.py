"""Turn what dnf resolved into the files that the installation reads.

Usage: lock_packages RESOLVED --lock FILE --list FILE --count FILE --clock FILE

RESOLVED is what the dnf plugin wrote: one package a line, separated by tabs: name-epoch:version,
checksum, installed bytes, build time, path. `--lock` gets it without the paths, `--list` the paths
alone (a manifest that rpm reads), `--count` the number of packages, and `--clock` the time of the
newest package in seconds since the epoch: the one time that a build of just these packages can
claim for all that it makes itself.

With `--locked FILE`, what such a run wrote before, the packages must be just those of that file;
it fails, naming the differences, when they are not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


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
    if options.locked:
        wanted = dict(
            line.split("\t", 1)
            for line in options.locked.read_text(encoding="utf-8").splitlines()
            if line[:1] != "#"
        )
        found = {row[0] for row in fields}
        for package in sorted(found - set(wanted)):
            print(
                f"lock_packages: {package} would be installed, and is not in {options.locked}",
                file=sys.stderr,
            )
        for package in sorted(set(wanted) - found):
            print(
                f"lock_packages: {package} of {options.locked} would not be installed",
                file=sys.stderr,
            )
        others = [
            row
            for row in fields
            if row[0] in wanted
            and not row[1].startswith("none:")
            and row[1] != wanted[row[0]].split("\t")[0]
        ]
        for row in others:
            print(
                f"lock_packages: {row[0]} has the checksum {row[1]}, and another one in "
                f"{options.locked}",
                file=sys.stderr,
            )
        if others or found != set(wanted):
            return 1
        # A package that was taken as a file tells less of itself than the lock does.
        fields = [[*f"{row[0]}\t{wanted[row[0]]}".split("\t"), row[4]] for row in fields]
    options.lock.write_text("".join("\t".join(row[:4]) + "\n" for row in fields), encoding="utf-8")
    options.list.write_text("".join(row[4] + "\n" for row in fields), encoding="utf-8")
    options.count.write_text(f"{len(fields)}\n", encoding="utf-8")
    options.clock.write_text(f"{max(int(row[3]) for row in fields)}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
