"""Print the debugfs commands that set the times of every inode in a new ext4 image.

Usage: ext4_times GROUPS --clock SECONDS

GROUPS is the output of `dumpe2fs` for the image. mke2fs copies the times of its source files,
including access and change times, which differ between builds and cannot be set in a file system.
In the image debugfs(8) `set_inode_field` can set them. Modification times before the clock come
from the packages and stay.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FIELDS = ("atime", "ctime", "crtime")
FIRST_INODE = 11  # lost+found; the ones before are the file system's own
ROOT_INODE = 2


def used_inodes(groups: str) -> Iterator[int]:
    """The numbers of the inodes in use, from dumpe2fs's list of free ones."""
    count = int(re.findall(r"^Inode count:\s+(\d+)", groups, re.M)[0])
    free = [
        (int(first), int(last or first))
        for line in re.findall(r"^  Free inodes: (.*)$", groups, re.M)
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", line)
    ]
    yield ROOT_INODE
    number = FIRST_INODE
    for first, last in sorted(free) + [(count + 1, count + 1)]:
        yield from range(number, first)
        number = last + 1


def main() -> int:
    """Print the commands."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("groups", type=Path)
    parser.add_argument("--clock", type=int, required=True)
    options = parser.parse_args()
    lines = []
    for inode in used_inodes(options.groups.read_text(encoding="utf-8")):
        for name in FIELDS:
            lines.append(f"sif <{inode}> {name} @{options.clock}\n")
            lines.append(f"sif <{inode}> {name}_extra 0\n")
        lines.append(f"sif <{inode}> mtime_extra 0\n")
    sys.stdout.write("".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
