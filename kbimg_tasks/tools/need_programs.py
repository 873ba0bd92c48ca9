"""Check that a root file system has the needed programs.

Usage: need_programs FILES --lacking=TEXT PROGRAM=PACKAGE...

FILES has the path of a file of the root file system on each line; a PROGRAM with slashes is a path,
another one a name. All missing programs are reported, each by TEXT with {program} and {package}
filled in; programs that exist are printed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import PurePosixPath


def main() -> int:
    """Compare."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("files")
    parser.add_argument("--lacking", required=True)
    parser.add_argument("needed", nargs="+")
    options = parser.parse_args()
    with open(options.files, encoding="utf-8", errors="surrogateescape") as stream:
        paths = [PurePosixPath(line.rstrip("\n")) for line in stream]
    there = {str(path) for path in paths}
    there |= {path.name for path in paths if path.parent.name in ("bin", "sbin")}
    wanted = dict(each.rsplit("=", 1) for each in options.needed)
    missing = {program: package for program, package in wanted.items() if program not in there}
    for program, package in missing.items():
        told = options.lacking.replace("{program}", program).replace("{package}", package)
        print(f"need_programs: {told}", file=sys.stderr)
    print("\n".join(sorted(wanted)))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
