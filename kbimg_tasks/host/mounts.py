"""Mounts below a directory, and unmounting them without affecting other mounts."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

from attrs import frozen

from kbimg_tasks.tools.user_error import UserError

MOUNTINFO = Path("/proc/self/mountinfo")
# <sys/mount.h>
MS_PRIVATE, UMOUNT_NOFOLLOW = 0x40000, 0x8

_libc = ctypes.CDLL(None, use_errno=True)


@frozen
class Mount:
    """One line of proc_pid_mountinfo(5); `number` is unique among all namespaces."""

    number: int
    point: str


class StillMounted(UserError):
    """Something is mounted at or below a path to be deleted; nothing was deleted.

    `reasons` has the kernel's error message for each mount that could not be unmounted.
    """

    def __init__(self, path: Path, mounts: list[Mount], reasons: dict[str, str]) -> None:
        self.path, self.mounts, self.reasons = path, mounts, reasons
        points = ", ".join(dict.fromkeys(mount.point for mount in mounts))
        super().__init__(f"{path} is not deleted: {points} is mounted there", "unmount it first")


def parse(text: bytes) -> list[Mount]:
    """The mounts in the order of the table, which has blanks in names as octal escapes."""
    found = []
    for line in text.splitlines():
        words = line.split(b" ")
        point = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), words[4])
        found.append(Mount(int(words[0]), os.fsdecode(point)))
    return found


def own_place(path: Path) -> str:
    """The path with all links but the last component resolved."""
    return os.path.join(os.path.realpath(path.parent), path.name)


def below(path: Path) -> list[Mount]:
    """The mounts at or below `path`, deepest first, the latest of the same place first.

    Device numbers would not show a bind mount from the same file system.
    """
    if path.is_symlink():
        return []
    top = own_place(path)
    found = [
        mount
        for mount in parse(MOUNTINFO.read_bytes())
        if mount.point == top or mount.point.startswith(top + os.sep)
    ]
    return sorted(reversed(found), key=lambda mount: -mount.point.count(os.sep))


def unmount_below(path: Path) -> list[str]:
    """Unmount everything at or below `path`, never lazily. Returns the mount points, deepest first.

    Raises StillMounted when something cannot be unmounted.
    """
    done: list[str] = []
    while mounted := below(path):
        for mount in mounted:
            # Below a shared bind mount (systemd makes all mounts shared), unmounting the copy of
            # /dev/pts would also unmount the host's own.
            _libc.mount(None, os.fsencode(mount.point), None, MS_PRIVATE, None)
        reasons = {}
        before = len(done)
        for mount in mounted:
            if _libc.umount2(os.fsencode(mount.point), UMOUNT_NOFOLLOW) == 0:
                done.append(mount.point)
            else:
                reasons[mount.point] = os.strerror(ctypes.get_errno())
        # Another round can succeed where a later mount hid an earlier one.
        if len(done) == before:
            raise StillMounted(path, mounted, reasons)
    return done


def number_of(descriptor: int) -> int:
    """The ID of the mount that an open file or directory is on: proc_pid_fdinfo(5)."""
    text = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    return int(re.findall(r"^mnt_id:\s*(\d+)$", text, re.MULTILINE)[0])
