"""The used space of a file system inside a file, read from its own tables, without mounting.

ext4: https://docs.kernel.org/filesystems/ext4/super.html. FAT: Microsoft's "FAT: General Overview
of On-Disk Format", 1.03: the number of clusters distinguishes FAT12, FAT16 and FAT32.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from attrs import frozen

EXT4_AT, EXT4_BYTES, EXT4_MAGIC = 1024, 1024, 0xEF53
EXT4_64BIT = 0x80
EXT4_LARGEST_LOG = 6  # blocks of 64 KiB
FAT_BYTES, FAT_SIGNATURE = 512, b"\x55\xaa"
FAT_SECTORS = (512, 1024, 2048, 4096)
FAT12_BELOW, FAT16_BELOW = 4085, 65525
FAT32_MASK = 0x0FFFFFFF
DIRECTORY_ENTRY_BYTES = 32


@frozen
class FileSystem:
    """The used space of a file system; its own tables count as used."""

    kind: str
    size_bytes: int
    free_bytes: int

    @property
    def used_bytes(self) -> int:
        """The used bytes."""
        return self.size_bytes - self.free_bytes


def found(stream: BinaryIO, offset_bytes: int) -> FileSystem | None:
    """The file system at this offset, if it is of a type that images use."""
    stream.seek(offset_bytes)
    head = stream.read(EXT4_AT + EXT4_BYTES)
    return _ext4(head[EXT4_AT:]) or _fat(head[:FAT_BYTES], stream, offset_bytes)


def is_empty(stream: BinaryIO, offset_bytes: int) -> bool:
    """Whether there is no file system at this offset."""
    stream.seek(offset_bytes)
    return not stream.read(EXT4_AT + EXT4_BYTES).strip(b"\0")


def _ext4(block: bytes) -> FileSystem | None:
    if len(block) < EXT4_BYTES or struct.unpack_from("<H", block, 0x38)[0] != EXT4_MAGIC:
        return None
    (blocks,) = struct.unpack_from("<I", block, 0x04)
    (free,) = struct.unpack_from("<I", block, 0x0C)
    (log_size,) = struct.unpack_from("<I", block, 0x18)
    if struct.unpack_from("<I", block, 0x60)[0] & EXT4_64BIT:
        blocks |= struct.unpack_from("<I", block, 0x150)[0] << 32
        free |= struct.unpack_from("<I", block, 0x158)[0] << 32
    if not 0 <= free <= blocks > 0 or log_size > EXT4_LARGEST_LOG:
        return None
    size = 1024 << log_size
    return FileSystem("ext4", blocks * size, free * size)


def _fat(sector: bytes, stream: BinaryIO, offset: int) -> FileSystem | None:
    if len(sector) < FAT_BYTES or sector[-2:] != FAT_SIGNATURE:
        return None
    bytes_a_sector, a_cluster, reserved, fats, entries, sectors16 = struct.unpack_from(
        "<HBHBHH", sector, 11
    )
    (fat_sectors,) = struct.unpack_from("<H", sector, 22)
    sectors32, fat_sectors32 = struct.unpack_from("<I", sector, 32) + struct.unpack_from(
        "<I", sector, 36
    )
    fat_sectors = fat_sectors or fat_sectors32
    if bytes_a_sector not in FAT_SECTORS or not (a_cluster and reserved and fats and fat_sectors):
        return None
    sectors = sectors16 or sectors32
    directory = -(-entries * DIRECTORY_ENTRY_BYTES // bytes_a_sector)
    clusters = (sectors - reserved - fats * fat_sectors - directory) // a_cluster
    if clusters < 1:
        return None
    stream.seek(offset + reserved * bytes_a_sector)
    free = _free_clusters(stream.read(fat_sectors * bytes_a_sector), clusters)
    return FileSystem("vfat", sectors * bytes_a_sector, free * a_cluster * bytes_a_sector)


def _free_clusters(table: bytes, clusters: int) -> int:
    """The number of free clusters: those with a 0 in the table. Clusters are numbered from 2."""
    last = clusters + 2
    if clusters < FAT12_BELOW:
        # Three bytes contain two entries.
        pairs = (int.from_bytes(table[at : at + 3], "little") for at in range(0, len(table), 3))
        numbers = [half for pair in pairs for half in (pair & 0xFFF, pair >> 12)]
    elif clusters < FAT16_BELOW:
        numbers = [number for (number,) in struct.iter_unpack("<H", table)]
    else:
        numbers = [number & FAT32_MASK for (number,) in struct.iter_unpack("<I", table)]
    return numbers[2:last].count(0)
