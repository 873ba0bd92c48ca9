"""The format of packages.lock and of lock files: the exact packages of an image.

One package a line, separated by tabs: name-[epoch:]version-release.architecture, the package file's
checksum, its installed bytes, its build time in seconds since the epoch. `#` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NAME = "packages.lock"  # its place in a build
ROW = re.compile(r"[^\s/]+-[^\s/-]+-[^\s/-]+\.\w+\t(\w+:[0-9a-f]+|none:)\t\d+\t\d+")
NO_CHECKSUM = "none:"  # for a package without a repository


class LockedPackage(NamedTuple):
    """One package. `checksum` is the algorithm, a colon and the digits."""

    nevra: str
    checksum: str
    installed_bytes: int
    build_time: int

    @classmethod
    def of_fields(cls, fields: list[str]) -> LockedPackage:
        """A package from the fields of a line; more than four are ignored."""
        nevra, checksum, size, time = fields[:4]
        return cls(nevra, checksum, int(size), int(time))

    @property
    def algorithm(self) -> str:
        """The checksum's algorithm as hashlib names it; "none" if there is no checksum."""
        return self.checksum.partition(":")[0]

    @property
    def digits(self) -> str:
        """The checksum without its algorithm."""
        return self.checksum.partition(":")[2]

    @property
    def line(self) -> str:
        """The package as a line of the file."""
        return "\t".join(map(str, self)) + "\n"


def rows(text: str) -> Iterator[tuple[int, str]]:
    """The lines without comments, each with its number from 1."""
    for number, line in enumerate(text.splitlines(), 1):
        if line and not line.startswith("#"):
            yield number, line


def read(path: Path) -> list[LockedPackage]:
    """The packages of a file, in its order. Raises OSError, and ValueError for another format."""
    text = path.read_text(encoding="utf-8")
    return [LockedPackage.of_fields(line.split("\t")) for _, line in rows(text)]
