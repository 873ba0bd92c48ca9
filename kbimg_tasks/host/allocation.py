"""The disk space that files take, which for files with holes is less than their size."""

from __future__ import annotations

import os
from pathlib import Path

BLOCK_BYTES = 512  # of st_blocks: inode(7)


def allocated(status: os.stat_result) -> int:
    """The disk space of a file, in bytes."""
    return status.st_blocks * BLOCK_BYTES


def allocated_below(folder: Path) -> int:
    """The disk space of all that is in a folder, in bytes. Files that are deleted meanwhile do not
    count."""
    total = 0
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            try:
                total += allocated(os.lstat(os.path.join(place, name)))
            except FileNotFoundError:
                continue
    return total
