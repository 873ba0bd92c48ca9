"""Deleting what builds leave, without ever reaching beyond it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import List

MOUNTINFO = Path("/proc/self/mountinfo")


class StillMounted(Exception):
    """Something is mounted at or below a path that was to be deleted; nothing was."""


def mounts_below(path: Path) -> List[str]:
    """Mount points at or below `path`, by proc_pid_mountinfo(5); device numbers would not show a
    bind mount from the same file system."""
    top = os.path.realpath(path)
    found = []
    for line in MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        point = line.split(" ")[4].encode("utf-8", "surrogateescape")
        point_text = os.fsdecode(point.decode("unicode_escape").encode("latin-1"))
        if point_text == top or point_text.startswith(top + os.sep):
            found.append(point_text)
    return found


def delete(path: Path) -> None:
    """Delete a file, a link or a whole tree; a link is never followed.

    Raises StillMounted, before anything is touched, when something is mounted there.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    mounted = mounts_below(path)
    if mounted:
        raise StillMounted(
            f"{path} is not deleted: {', '.join(mounted)} is mounted there; unmount it first")
    shutil.rmtree(path)
