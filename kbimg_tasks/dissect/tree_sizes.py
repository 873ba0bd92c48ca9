"""The largest directories of the root tree, from its tar."""

from __future__ import annotations

import errno
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from attrs import frozen


@frozen
class Folder:
    """A directory of the root tree, `depth` levels below the root, with the size of everything in
    it."""

    path: str
    depth: int
    total_bytes: int


def files(tar: Path) -> Iterator[tuple[str, int]]:
    """The path of each file from the root, and its size; of several hard links, only the first has
    a size. Raises OSError, also for a damaged tar."""
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                if member.isreg():
                    yield member.name, member.size
    except tarfile.TarError as error:
        raise OSError(errno.EINVAL, f"no whole tar ({error})", str(tar)) from error


def largest(sizes: Iterable[tuple[str, int]], levels: int, count: int) -> tuple[Folder, ...]:
    """The `count` largest directories of the first `levels` levels, and the root itself: parents
    before children, and siblings by size, the largest first.

    A directory is at least as large as its children, so no directory appears without its parents.
    """
    totals: dict[tuple[str, ...], int] = {(): 0}
    for path, size in sizes:
        parts = PurePosixPath(path).parts[:-1]
        for depth in range(min(len(parts), levels) + 1):
            totals[parts[:depth]] = totals.get(parts[:depth], 0) + size
    chosen = sorted(totals, key=lambda parts: (-totals[parts], len(parts), parts))[: count + 1]

    def place(parts: tuple[str, ...]) -> list[tuple[int, str]]:
        return [(-totals[parts[:depth]], parts[depth - 1]) for depth in range(1, len(parts) + 1)]

    return tuple(
        Folder("/" + "/".join(parts), len(parts), totals[parts])
        for parts in sorted(chosen, key=place)
    )
