"""Check that packages bring the programs that are needed of them.

Usage: need_programs FILES PROGRAM=PACKAGE...

FILES has the path of a file that the packages hold on each line. What is missing is told all at
once, with the package to add; what is there is printed.
"""

from __future__ import annotations

import sys
from pathlib import PurePosixPath


def main(listing: str, *needed: str) -> int:
    """Compare."""
    with open(listing, encoding="utf-8", errors="surrogateescape") as stream:
        paths = (PurePosixPath(line.rstrip("\n")) for line in stream)
        there = {path.name for path in paths if path.parent.name in ("bin", "sbin")}
    wanted = dict(each.rsplit("=", 1) for each in needed)
    missing = {program: package for program, package in wanted.items() if program not in there}
    for program, package in missing.items():
        print(f"need_programs: no package brings {program}, which installing over the network "
              f"needs: add {package} to from_repo.rpmlist", file=sys.stderr)
    print("\n".join(sorted(wanted)))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
