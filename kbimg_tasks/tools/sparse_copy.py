"""Copy a file-system image into a disk image at an offset, data only.

Usage: sparse_copy IMAGE DISK --at-mib MIB

Holes stay holes: SEEK_DATA (lseek(2)) finds the data and the kernel copies it (copy_file_range(2)),
so the time depends on the data, not on the partition's size. The target must have zeros where the
image has holes, like a new disk image.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from kbimg_tasks.tools.units import MIB

CHUNK_BYTES = 64 * MIB


def extents(source: int) -> Iterator[tuple[int, int]]:
    """Start and end, in bytes, of each run of data."""
    end = 0
    while True:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        yield start, end


def copy(source: int, target: int, start: int, end: int, shift: int) -> None:
    """Copy bytes `start` to `end` of the source to the same place of the target plus `shift`."""
    while start < end:
        try:
            done = os.copy_file_range(
                source, target, min(end - start, CHUNK_BYTES), start, start + shift
            )
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                raise
            done = os.pwrite(target, os.pread(source, min(end - start, MIB), start), start + shift)
        if done == 0:
            raise OSError(errno.EIO, "image became shorter while it was copied")
        start += done


def main() -> int:
    """Copy one image."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("image", type=Path)
    parser.add_argument("disk", type=Path)
    parser.add_argument("--at-mib", type=int, required=True)
    options = parser.parse_args()
    with open(options.image, "rb") as image, open(options.disk, "r+b") as disk:
        for start, end in extents(image.fileno()):
            copy(image.fileno(), disk.fileno(), start, end, options.at_mib * MIB)
    return 0


if __name__ == "__main__":
    sys.exit(main())
