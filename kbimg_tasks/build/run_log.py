"""When the stages of the last run were made: for people to look at, and for nothing that builds.

One line of JSON for each beginning and each end, written at once, so that a build which is killed
at any moment leaves a file that can be read: what has begun and has no end was interrupted. A run
in which nothing had to be made leaves the log of the one before.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import asdict, frozen

from kbimg_tasks.steps.layout import Layout

BEGUN, MADE, FAILED = "begun", "made", "failed"
# Workers that are forked from this process work for the same run.
THIS_RUN = os.urandom(8).hex()


@frozen
class Event:
    """What happened to a stage. `time` is in seconds since the epoch; `clock` is in seconds of
    CLOCK_MONOTONIC (clock_gettime(2)), in which nobody sets the time and all processes agree."""

    run: str
    stage: str
    what: str
    time: float
    clock: float


@contextmanager
def recorded(layout: Layout, stage: str, run: str = THIS_RUN) -> Iterator[None]:
    """Write down when a stage is begun and how it ends. No build fails because it could not."""
    _append(layout, stage, BEGUN, run)
    try:
        yield
    except BaseException:
        _append(layout, stage, FAILED, run)
        raise
    _append(layout, stage, MADE, run)


def _append(layout: Layout, stage: str, what: str, run: str) -> None:
    event = Event(run, stage, what, time.time(), time.monotonic())
    flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(OSError):
        number = os.open(layout.run_log, flags, 0o600)
        with os.fdopen(number, "r+", encoding="utf-8") as stream:
            fcntl.flock(number, fcntl.LOCK_EX)
            if any(found.run != run for found in _events(stream.readline())):
                os.ftruncate(number, 0)
            os.write(number, f"{json.dumps(asdict(event))}\n".encode())


def read(layout: Layout) -> tuple[Event, ...]:
    """What happened in the last run that made anything, in order; nothing where there was none."""
    try:
        return tuple(_events(layout.run_log.read_text(encoding="utf-8", errors="replace")))
    except FileNotFoundError:
        return ()


def _events(text: str) -> list[Event]:
    """The events of some lines; a line that a full disk has cut off is none."""
    found = []
    for line in text.splitlines():
        with suppress(ValueError, TypeError):
            found.append(Event(**json.loads(line)))
    return found
