"""Loop devices that are attached to files below a directory: their users, and detaching them.

kbimg itself attaches none; legacy kbimg and users do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from kbimg_tasks.host.mounts import own_place

BLOCK = Path("/sys/block")
DEV = Path("/dev")
SWAPS = Path("/proc/swaps")
PROC = Path("/proc")
# <linux/loop.h>; struct loop_info64 begins with the device and the inode of the file.
LOOP_CLR_FD, LOOP_GET_STATUS64 = 0x4C01, 0x4C05
INFO_BYTES = 232
DELETED = " (deleted)"
SETTLE_SECONDS = 1.0


@frozen
class Loop:
    """An attached device: its name in /dev, its backing file, and the devices of itself and its
    partitions, each with its number as `major:minor`."""

    device: str
    file: str
    parts: tuple[tuple[str, str], ...]


def below(path: Path) -> list[Loop]:
    """The devices whose backing file is `path` or below it, even if it was deleted. Links are not
    followed."""
    top = own_place(path)
    found = []
    for entry in sorted(BLOCK.glob("loop*"), key=lambda entry: (len(entry.name), entry.name)):
        try:
            text = os.fsdecode((entry / "loop/backing_file").read_bytes())[:-1]  # a line's end
        except OSError:
            continue  # not attached
        file = text[: -len(DELETED)] if text.endswith(DELETED) else text
        if (file == top or file.startswith(top + os.sep)) and _is_of(DEV / entry.name, text, file):
            found.append(Loop(str(DEV / entry.name), text, tuple(_parts(entry))))
    return found


def _is_of(device: Path, text: str, file: str) -> bool:
    """Whether the backing file is the one that this process sees under that name: in another mount
    namespace it can be another file."""
    try:
        number = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            info = fcntl.ioctl(number, LOOP_GET_STATUS64, bytes(INFO_BYTES))
        finally:
            os.close(number)
        there = struct.unpack_from("=QQ", info)
        seen = os.stat(os.path.dirname(file) if text != file else file)
    except OSError:
        return False
    return there[0] == seen.st_dev and (text != file or there[1] == seen.st_ino)


def _parts(entry: Path) -> Iterator[tuple[str, str]]:
    for folder in (entry, *sorted(entry.glob(f"{entry.name}p*"))):
        yield str(DEV / folder.name), (folder / "dev").read_text().strip()


def uses(loop: Loop) -> list[str]:
    """What uses the device: mounts in any namespace, swap, other devices on top of it."""
    names, numbers = (set(column) for column in zip(*loop.parts))
    found = [f"mounted at {point}" for point in _mounted(names, numbers)]
    for line in SWAPS.read_text().splitlines():
        if line.split()[0] in names:
            found.append(f"swap on {line.split()[0]}")
    for name in sorted(names):
        folder = BLOCK / Path(loop.device).name
        folder = folder if name == loop.device else folder / Path(name).name
        found += [
            f"{name} is part of /dev/{holder.name}" for holder in (folder / "holders").glob("*")
        ]
    return found


def _mounted(names: set, numbers: set) -> list[str]:
    points, seen = set(), set()
    for process in PROC.glob("[0-9]*"):
        try:
            namespace = os.readlink(process / "ns/mnt")
            if namespace in seen:
                continue
            seen.add(namespace)
            lines = os.fsdecode((process / "mountinfo").read_bytes()).splitlines()
        except OSError:
            continue  # it ended meanwhile
        for line in lines:
            words = line.split(" ")  # proc_pid_mountinfo(5)
            if words[2] in numbers or words[words.index("-") + 2] in names:
                points.add(words[4])
    return sorted(points)


def detach(loop: Loop) -> None:
    """Detach a device that nothing uses. Raises OSError while something has it open."""
    number = os.open(loop.device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(number, LOOP_CLR_FD, 0)
    finally:
        os.close(number)
    # While others have it open, for example udev probing it, the kernel detaches it when they close
    # it.
    backing = BLOCK / Path(loop.device).name / "loop/backing_file"
    until = time.monotonic() + SETTLE_SECONDS
    while backing.exists():
        if time.monotonic() > until:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), loop.device)
        time.sleep(0.02)
