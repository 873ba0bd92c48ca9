"""Deletes trees without following links and without entering mounts."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from kbimg_tasks.host import allocation, mounts
from kbimg_tasks.host.mounts import StillMounted

__all__ = ["StillMounted", "allocated", "delete"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


def delete(path: Path) -> None:
    """Delete a file, a link or a whole tree; a link is never followed.

    Raises StillMounted, before anything is deleted, when something is mounted there.
    """
    if not os.path.lexists(path):
        return
    if mounted := mounts.below(path):
        raise StillMounted(path, mounted, {})
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _delete(parent, path.name, (os.fstat(parent).st_dev, mounts.number_of(parent)), str(path))
    finally:
        os.close(parent)


def _delete(parent: int, name: str, place: tuple[int, int], shown: str) -> None:
    """Delete one entry of an open folder; `place` is the device and the mount to stay on."""
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=parent)
            return
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, shown) from error
    try:
        # Mounted after the table was read. Two mounts of one file system differ only in their ID.
        if (os.fstat(folder).st_dev, mounts.number_of(folder)) != place:
            raise OSError(errno.EBUSY, "something is mounted there", shown)
        for entry in os.listdir(folder):
            _delete(folder, entry, place, os.path.join(shown, entry))
    finally:
        os.close(folder)
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, shown) from error


def allocated(path: Path) -> int:
    """The bytes on disk that deleting `path` frees; mounts below it are not counted.

    A file with several names counts once.
    """
    points = {mount.point for mount in mounts.below(path)}
    return _allocated(mounts.own_place(path), points, set())


def _allocated(path: str, points: set[str], seen: set[tuple[int, int]]) -> int:
    if path in points:
        return 0
    status = os.lstat(path)
    if (status.st_dev, status.st_ino) in seen:
        return 0
    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
        seen.add((status.st_dev, status.st_ino))
    total = allocation.allocated(status)
    if stat.S_ISDIR(status.st_mode):
        for name in os.listdir(path):
            total += _allocated(os.path.join(path, name), points, seen)
    return total
