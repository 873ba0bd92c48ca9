"""The first difference of two results, with the name of the file inside the image."""

from __future__ import annotations

import tarfile
from itertools import zip_longest
from pathlib import Path

from kbimg_tasks.dissect import disks
from kbimg_tasks.dissect.bytes import differences, in_content

# The fields of a tar's member that are compared in addition to its content, in this order.
FIELDS = (
    "type",
    "mode",
    "uid",
    "gid",
    "uname",
    "gname",
    "size",
    "mtime",
    "linkname",
    "pax_headers",
)


def first_difference(one: Path, other: Path) -> str | None:
    """The first difference of two results as text for users; None if they have the same bytes.

    Raises OSError if one cannot be read, and subprocess.CalledProcessError if a program that reads
    its format fails.
    """
    offset = next(differences(one, other), None)
    if offset is None:
        return None
    if one.suffix == ".tar":
        return _in_tar(one, other) or f"at byte {offset}, in no file: padding or headers"
    if one.suffix == ".img":
        return disks.first_difference(one, other)
    return f"at byte {offset}"


def _in_tar(one: Path, other: Path) -> str | None:
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
            if content and beside and (found := in_content(content, beside)):
                return f"{_shown(ours.name)}: {found}"
    return None


def _shown(name: str) -> str:
    return name[1:] if name.startswith("./") else name
