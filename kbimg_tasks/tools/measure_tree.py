"""Check that a root tree fits into its ext4 partition, before an image is written.

Usage: measure_tree TREE --root-mib MIB

Prints the MiB that the tree needs. Counts what mke2fs will use: whole blocks of 4 KiB, an
extent block for large files, one inode for each name that is not a second hard link; and the
metadata of a file system of that size: inode tables, bitmaps, spare group descriptors, journal.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path

from kbimg_tasks.tools.units import MIB

BLOCK_BYTES = 4096
INODE_BYTES = 256
BYTES_AN_INODE = 16384  # mke2fs.conf(5), inode_ratio
BLOCKS_A_GROUP = 32768
FAST_LINK_BYTES = 59  # a shorter target is stored in the inode
FIXED_INODES = 11
# Journal blocks by file system blocks, as e2fsprogs chooses them.
JOURNALS = ((32768, 1024), (262144, 4096), (524288, 8192), (4194304, 16384), (8388608, 32768))


def need(tree: Path) -> tuple[int, int]:
    """Blocks and inodes for everything below `tree`, without following links or mounts."""
    blocks, inodes, seen = 0, 0, set()
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            status = os.lstat(os.path.join(folder, name))
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            inodes += 1
            blocks += _blocks(status)
        # A directory entry takes 8 bytes and its name, padded to 4.
        blocks += max(
            1,
            -(
                -sum(8 + len(os.fsencode(name)) + 3 for name in folders + files)
                // (BLOCK_BYTES - 64)
            ),
        )
    return blocks, inodes


def _blocks(status: os.stat_result) -> int:
    if stat.S_ISREG(status.st_mode):
        data = -(-status.st_size // BLOCK_BYTES)
        return data + (1 if data > BLOCKS_A_GROUP else 0)
    return int(stat.S_ISLNK(status.st_mode) and status.st_size > FAST_LINK_BYTES)


def capacity(root_mib: int) -> tuple[int, int]:
    """Blocks and inodes for files in an ext4 file system of `root_mib` MiB."""
    total = root_mib * MIB // BLOCK_BYTES
    inodes = root_mib * MIB // BYTES_AN_INODE
    groups = -(-total // BLOCKS_A_GROUP)
    journal = next((blocks for limit, blocks in JOURNALS if total < limit), 65536)
    tables = inodes * INODE_BYTES // BLOCK_BYTES
    # Group descriptors, with as many spare as 1024 times the size would need, in every group that
    # has a copy of the superblock: 0, 1 and the powers of 3, 5 and 7.
    descriptors = min(total // 2048, 1024) + 1
    copies = sum(_has_superblock(group) for group in range(groups))
    kept = tables + journal + 3 * groups + copies * descriptors + 16
    return total - kept, inodes - FIXED_INODES


def _has_superblock(group: int) -> bool:
    for base in (3, 5, 7):
        power = 1
        while power < group:
            power *= base
        if power == group:
            return True
    return group == 0


def mib(blocks: int) -> int:
    """The size of these blocks in MiB, rounded up."""
    return -(-blocks * BLOCK_BYTES // MIB)


def main() -> int:
    """Measure one tree."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--root-mib", type=int, required=True)
    options = parser.parse_args()
    blocks, inodes = need(options.tree)
    has_blocks, has_inodes = capacity(options.root_mib)
    if blocks > has_blocks or inodes > has_inodes:
        overhead = options.root_mib - mib(has_blocks)
        print(
            f"measure_tree: the root tree needs {mib(blocks)} MiB and {inodes} inodes, but a root "
            f"partition of {options.root_mib} MiB holds {mib(has_blocks)} MiB and "
            f"{has_inodes} inodes; set disk_partition.root to {mib(blocks) + overhead + 64} "
            "or more, or install less",
            file=sys.stderr,
        )
        return 1
    print(f"root tree: {mib(blocks)} of {mib(has_blocks)} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
