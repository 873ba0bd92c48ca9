"""One build at a time in an output directory."""

from __future__ import annotations

import fcntl
import os
import sys

from kbimg_tasks.build import stamps
from kbimg_tasks.steps.layout import Layout

_held: dict[str, int] = {}


class Busy(SystemExit):
    """Another process builds in this output directory; the text names it."""


def hold(layout: Layout) -> None:
    """Take the output directory for as long as this process lives.

    The kernel gives the lock back when its holder dies, however it dies (flock(2)): there is no
    stale lock. Workers forked from a holder share it.
    """
    if str(layout.lock) in _held:
        return
    number = _open(layout)
    while not _is_there(layout, number):
        os.close(number)
        number = _open(layout)
    os.ftruncate(number, 0)
    os.write(number, f"process {os.getpid()}, {' '.join(sys.argv)}\n".encode())
    _held[str(layout.lock)] = number


def _is_there(layout: Layout, number: int) -> bool:
    """Whether the lock is the file that others find: `doit clean` deletes it while it holds it."""
    try:
        return os.path.samestat(os.stat(layout.lock), os.fstat(number))
    except FileNotFoundError:
        return False


def _open(layout: Layout) -> int:
    stamps.prepare(layout)
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        number = os.open(layout.lock, flags, 0o600)
    except OSError as error:
        raise Busy(
            f"{layout.lock}: expected a file of kbimg's own, but cannot open it: "
            f"{error.strerror}. Delete it, or choose another directory with out=DIR."
        ) from None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(number, 1000).decode("utf-8", "replace").strip()
        os.close(number)
        raise Busy(
            f"{layout.out}: another build is at work here: {holder}. Wait for it, end it, "
            "or choose another directory with out=DIR."
        ) from None
    return number
