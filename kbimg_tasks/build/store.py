"""The store: stages that are made once for all output directories of this machine.

Each entry is a folder named by the fingerprint of its stage. An output directory that uses it has a
link to it in place of the stage's own folder. So two configurations with the same packages install
them once, and a shared stage is stamped, checked and published like any other.

A lock for each entry (flock(2)) prevents two builds from making the same entry, and an entry in use
from being pruned. The kernel releases it when its holder ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.host import remove
from kbimg_tasks.host.allocation import allocated_below
from kbimg_tasks.steps.layout import STAMP, Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tools.units import GIB

_held: dict[Path, int] = {}


@frozen
class StoredStage:
    """One shared stage in the store; `used` is in seconds since the epoch."""

    folder: Path
    allocated_bytes: int
    used: float
    is_in_use: bool


def take(
    layout: Layout,
    stage: Stage,
    made_from: str,
    is_whole: Callable[[], bool],
    make: Callable[[], None],
) -> None:
    """Link the output directory to an entry, and make the entry unless it is complete.

    Waits while another build makes it. This process holds a shared lock on it from then on.
    """
    number = _open(layout, made_from)
    fcntl.flock(number, fcntl.LOCK_SH)
    folder, work = layout.store / "entries" / made_from, layout.store / "partial" / made_from
    folder.mkdir(parents=True, exist_ok=True)
    work.parent.mkdir(exist_ok=True)
    _link(layout.stage(stage.name), folder)
    if is_whole():
        return
    # Converting a shared lock to an exclusive one releases it first: flock(2). So two builds cannot
    # deadlock, and the second one finds the entry that the first one made.
    fcntl.flock(number, fcntl.LOCK_EX)
    try:
        if not is_whole():
            _link(layout.partial(stage.name), work)
            make()
            layout.partial(stage.name).unlink()
    finally:
        fcntl.flock(number, fcntl.LOCK_SH)


def hold(layout: Layout, stage: str) -> None:
    """Prevent the entry that a stage of an output directory links to from being pruned."""
    folder = layout.stage(stage)
    if folder.is_symlink():
        fcntl.flock(_open(layout, os.path.basename(os.readlink(folder))), fcntl.LOCK_SH)


def release() -> None:
    """Release all locks that this process holds."""
    while _held:
        os.close(_held.popitem()[1])


def _open(layout: Layout, made_from: str) -> int:
    path = layout.store / "locks" / made_from
    if path not in _held:
        layout.store.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        _held[path] = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.utime(path)
    return _held[path]


def _link(place: Path, target: Path) -> None:
    if place.is_symlink() and os.readlink(place) == str(target):
        return
    remove.delete(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def entries(layout: Layout) -> list[StoredStage]:
    """The entries of the store, the most recently used last."""
    found = []
    for folder in (layout.store / "entries").glob("*"):
        lock = layout.store / "locks" / folder.name
        used = lock.stat().st_mtime if lock.exists() else 0.0
        with _unused(lock) as free:
            found.append(StoredStage(folder, allocated_below(folder), used, not free))
    return sorted(found, key=lambda entry: entry.used)


def prune(layout: Layout) -> list[StoredStage]:
    """Delete the least recently used entries until the store is within its limit; return them.

    Entries that a build is making or using stay. An output directory with a link to a deleted entry
    makes it again when it needs it.
    """
    there = entries(layout)
    excess = sum(entry.allocated_bytes for entry in there) - layout.store_gib * GIB
    gone = []
    for entry in there:
        if excess <= 0:
            break
        with _unused(layout.store / "locks" / entry.folder.name) as free:
            if free:
                (entry.folder / STAMP).unlink(missing_ok=True)
                remove.delete(entry.folder)
                remove.delete(layout.store / "partial" / entry.folder.name)
                excess -= entry.allocated_bytes
                gone.append(entry)
    return gone


@contextmanager
def _unused(lock: Path) -> Iterator[bool]:
    """Whether an entry is not in use; it cannot be taken inside the context."""
    if lock in _held:
        yield False
        return
    lock.parent.mkdir(parents=True, exist_ok=True)
    number = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    times = os.fstat(number)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.utime(number, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.close(number)


def table(layout: Layout) -> str:
    """The store as a table for people."""
    rows = [
        f"{entry.allocated_bytes / GIB:7.2f} GiB  last used "
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(entry.used))}  "
        f"{'in use' if entry.is_in_use else 'free  '}  {entry.folder}"
        for entry in entries(layout)
    ]
    return "\n".join(rows) or f"nothing in {layout.store}"
