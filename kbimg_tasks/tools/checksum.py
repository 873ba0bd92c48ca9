"""Checksums of files, read block by block."""

from __future__ import annotations

import hashlib
import os
from typing import IO, Protocol

from kbimg_tasks.tools.units import MIB

BLOCK_BYTES = MIB


class Digest(Protocol):
    """A digest object of hashlib."""

    def update(self, block: bytes, /) -> None:
        """Add one block."""


def of_file(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """The checksum of a file's content, in hexadecimal digits. Raises OSError."""
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        feed(digest, stream)
    return digest.hexdigest()


def feed(digest: Digest, source: IO[bytes], copy: IO[bytes] | None = None) -> None:
    """Add the rest of a stream to a digest, and write it to `copy`, if given."""
    while block := source.read(BLOCK_BYTES):
        digest.update(block)
        if copy is not None:
            copy.write(block)
