"""Finds where two files differ, without reading their holes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kbimg_tasks.tools.sparse_copy import extents
from kbimg_tasks.tools.units import MIB

BLOCK_BYTES = 4096  # the block size of the file systems of an image
SHOWN_BYTES = 16


def differences(one: Path, other: Path) -> Iterator[int]:
    """The offset of the first differing byte in each block that differs; if one file is longer, the
    end of the other one. Raises OSError if a file cannot be read."""
    with open(one, "rb") as first, open(other, "rb") as second:
        for number in sorted({*_data(first), *_data(second)}):
            pieces = []
            for stream in (first, second):
                stream.seek(number * MIB)
                pieces.append(stream.read(MIB))
            shorter = min(map(len, pieces))
            if pieces[0][:shorter] != pieces[1][:shorter]:
                for begin in range(0, shorter, BLOCK_BYTES):
                    blocks = [piece[begin : min(begin + BLOCK_BYTES, shorter)] for piece in pieces]
                    if blocks[0] != blocks[1]:
                        yield number * MIB + begin + _common(*blocks)
        sizes = [os.fstat(stream.fileno()).st_size for stream in (first, second)]
    if sizes[0] != sizes[1]:
        yield min(sizes)


def in_content(one: IO[bytes], other: IO[bytes]) -> str | None:
    """The first difference of two streams, with the bytes there; None if they are equal."""
    base = 0
    while True:
        pieces = one.read(MIB), other.read(MIB)
        if pieces[0] != pieces[1]:
            at = _common(*pieces)
            values = [piece[at : at + SHOWN_BYTES] for piece in pieces]
            return f"content at byte {base + at}: {values[0]!r} and {values[1]!r}"
        if not pieces[0]:
            return None
        base += MIB


def _data(stream: IO[bytes]) -> Iterator[int]:
    """The numbers of the MiB blocks that hold data."""
    for begin, end in extents(stream.fileno()):
        yield from range(begin // MIB, -(-end // MIB))


def _common(one: bytes, other: bytes) -> int:
    """The number of equal bytes at the beginning."""
    return next(
        (at for at, pair in enumerate(zip(one, other)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
