"""Lock files of users: checked before a build, written after one."""

from __future__ import annotations

import os
from pathlib import Path

from kbimg_tasks.tools import lock_format

HEADER = "# Exact packages, for kbimg's lock=: package, checksum, installed bytes, build time\n"
EXPECTED = "a package, its checksum, installed bytes and build time, separated by tabs"


def problems(path: Path) -> tuple[str, ...]:
    """The errors in a lock file, one message each."""
    try:
        rows = tuple(lock_format.rows(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return (f"lock=: {path}: {why}; doit write_lock lock={path} writes one",)
    if not rows:
        return (f"lock=: {path}: expected {EXPECTED} on each line, found no line",)
    return tuple(
        f'lock=: {path}:{number}: expected {EXPECTED}, found "{line}"'
        for number, line in rows
        if not lock_format.ROW.fullmatch(line)
    )


def write(path: Path, packages: Path) -> None:
    """Write a lock file atomically from the result of the stage `packages`."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(HEADER + packages.read_text(encoding="utf-8"), encoding="utf-8")
    os.replace(partial, path)
