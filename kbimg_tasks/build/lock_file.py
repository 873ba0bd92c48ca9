"""Lock files: the exact packages of an image, so that it can be built again from the same packages.

Each line is one package, with fields separated by tabs: name-[epoch:]version-release.architecture,
the checksum of the package file, its installed bytes, and its build time in seconds since the
epoch. `#` begins a comment.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

HEADER = "# Exact packages, for kbimg's lock=: package, checksum, installed bytes, build time\n"
ROW = re.compile(r"[^\s/]+-[^\s/-]+-[^\s/-]+\.\w+\t(\w+:[0-9a-f]+|none:)\t\d+\t\d+")
EXPECTED = "a package, its checksum, installed bytes and build time, separated by tabs"


def problems(path: Path) -> tuple[str, ...]:
    """The errors in a lock file, one message each."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return (f"lock=: {path}: {why}; doit write_lock lock={path} writes one",)
    rows = [
        (number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")
    ]
    if not rows:
        return (f"lock=: {path}: expected {EXPECTED} on each line, found no line",)
    return tuple(
        f'lock=: {path}:{number}: expected {EXPECTED}, found "{line}"'
        for number, line in rows
        if not ROW.fullmatch(line)
    )


def write(path: Path, packages: Path) -> None:
    """Write a lock file atomically from the result of the stage `packages`."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(HEADER + packages.read_text(encoding="utf-8"), encoding="utf-8")
    os.replace(partial, path)
