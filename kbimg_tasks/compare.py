"""The first difference of two results, by file inside the image."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from itertools import zip_longest
from pathlib import Path
from typing import IO, Iterator, Optional, Tuple

MIB = 1 << 20
# What of a tar's member is compared beside its content, in this order.
FIELDS = ("type", "mode", "uid", "gid", "uname", "gname", "size", "mtime", "linkname",
          "pax_headers")  # fmt: skip


def first_difference(one: Path, other: Path) -> Optional[str]:
    """Where two results differ first, for people; None when they are the same bytes.

    Raises OSError when one cannot be read, and subprocess.CalledProcessError when a program that
    knows its format fails.
    """
    offset = _first_offset(one, other)
    if offset is None:
        return None
    if one.suffix == ".tar":
        return _in_tar(one, other) or f"at byte {offset}, in no file: padding or headers"
    if one.suffix == ".img":
        return _in_disk(one, other, offset)
    return f"at byte {offset}"


def _data(stream: IO[bytes]) -> Iterator[int]:
    """The numbers of the MiB blocks that hold data: lseek(2), SEEK_DATA and SEEK_HOLE."""
    number, size = stream.fileno(), os.fstat(stream.fileno()).st_size
    position = 0
    while position < size:
        try:
            begin = os.lseek(number, position, os.SEEK_DATA)
        except OSError:
            return
        position = os.lseek(number, begin, os.SEEK_HOLE)
        yield from range(begin // MIB, -(-position // MIB))


def _first_offset(one: Path, other: Path) -> Optional[int]:
    with open(one, "rb") as first, open(other, "rb") as second:
        for block in sorted({*_data(first), *_data(second)}):
            pieces = []
            for stream in (first, second):
                stream.seek(block * MIB)
                pieces.append(stream.read(MIB))
            if pieces[0] != pieces[1]:
                return block * MIB + _common(*pieces)
        sizes = [os.fstat(stream.fileno()).st_size for stream in (first, second)]
    return None if sizes[0] == sizes[1] else min(sizes)


def _common(one: bytes, other: bytes) -> int:
    """How many bytes agree at the beginning."""
    return next((at for at, pair in enumerate(zip(one, other)) if pair[0] != pair[1]),
                min(len(one), len(other)))  # fmt: skip


def _in_tar(one: Path, other: Path) -> Optional[str]:
    with tarfile.open(one) as first, tarfile.open(other) as second:
        for ours, theirs in zip_longest(first, second):
            if ours is None or theirs is None:
                there = ours or theirs
                return f"{_shown(there.name)} is in {(one if ours else other).parent} only"
            if ours.name != theirs.name:
                return f"{_shown(ours.name)} is where the other has {_shown(theirs.name)}"
            for field in FIELDS:
                values = getattr(ours, field), getattr(theirs, field)
                if values[0] != values[1]:
                    return f"{_shown(ours.name)}: {field} is {values[0]!r} and {values[1]!r}"
            content = first.extractfile(ours) if ours.isfile() else None
            beside = second.extractfile(theirs) if theirs.isfile() else None
            if content and beside and (found := _in_content(content, beside)):
                return f"{_shown(ours.name)}: content {found}"
    return None


def _shown(name: str) -> str:
    return name[1:] if name.startswith("./") else name


def _in_content(one: IO[bytes], other: IO[bytes]) -> Optional[str]:
    base = 0
    while True:
        pieces = one.read(MIB), other.read(MIB)
        if pieces[0] != pieces[1]:
            at = _common(*pieces)
            values = [piece[at:at + 16] for piece in pieces]
            return f"at byte {base + at}: {values[0]!r} and {values[1]!r}"
        if not pieces[0]:
            return None
        base += MIB


def _in_disk(one: Path, other: Path, offset: int) -> str:
    """The partition of an offset, and the file that its block belongs to."""
    table = json.loads(_output("sfdisk", "--json", str(one)))["partitiontable"]
    sector = int(table.get("sectorsize", 512))
    for part in table["partitions"]:
        start = int(part["start"]) * sector
        if start <= offset < start + int(part["size"]) * sector:
            where = f"{part.get('name') or part['node']}, byte {offset - start} of the partition"
            found = _in_ext4(one, start, offset - start) or _in_ext4(other, start, offset - start)
            return f"{where}: {found or 'in structures of the file system'}"
    return f"at byte {offset}, outside the partitions"


def _in_ext4(disk: Path, start: int, offset: int) -> Optional[str]:
    """The file of an ext4 file system's block, by debugfs(8): block to inode, inode to path."""
    image = f"{disk}?offset={start}"
    header = _output("dumpe2fs", "-h", image, is_checked=False)
    sizes = [line.split(":")[1] for line in header.splitlines() if line.startswith("Block size:")]
    if not sizes:
        return None
    inode = _answer(image, f"icheck {offset // int(sizes[0])}")[1]
    return _answer(image, f"ncheck {inode}")[1] if inode.isdigit() else None


def _answer(image: str, request: str) -> Tuple[str, str]:
    """The last line of a table of two columns."""
    lines = _output("debugfs", "-R", request, image, is_checked=False).strip().splitlines()
    first, _, second = (lines[-1] if lines else "").partition("\t")
    return first, second.strip()


def _output(*argv: str, is_checked: bool = True) -> str:
    return subprocess.run(argv, check=is_checked, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout  # fmt: skip
