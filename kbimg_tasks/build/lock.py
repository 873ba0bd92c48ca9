"""The lock of an output directory: one build at a time."""

from __future__ import annotations

import fcntl
import os
import sys

from kbimg_tasks.build import stamps
from kbimg_tasks.steps.layout import Layout

_held: dict[str, int] = {}


class Busy(SystemExit):
    """Another build is running in this output directory; the text names its process."""


def hold(layout: Layout) -> None:
    """Lock the output directory until this process ends.

    The kernel releases the lock when its holder ends, for whatever reason (flock(2)), so locks
    cannot be stale. Forked workers share the lock.
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
    """Whether the open lock is still the file of that name: `doit clean` deletes it while holding
    it."""
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
            f"{layout.out}: another build is running here: {holder}. Wait for it, end it, "
            "or choose another directory with out=DIR."
        ) from None
    return number
