"""The log of the last run: when each stage began and ended. For reports only; builds do not read
it.

Each event is one line of JSON that is written immediately, so a killed build leaves a readable
file: a stage without an end was interrupted. A run in which everything is up to date does not
change the log.
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
    CLOCK_MONOTONIC (clock_gettime(2)), which is never set and the same in all processes."""

    run: str
    stage: str
    what: str
    time: float
    clock: float


@contextmanager
def recorded(layout: Layout, stage: str, run: str = THIS_RUN) -> Iterator[None]:
    """Record when a stage begins and how it ends. A failure to write does not fail the build."""
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
    """The events of the last run that made anything, in order; empty without such a run."""
    try:
        return tuple(_events(layout.run_log.read_text(encoding="utf-8", errors="replace")))
    except FileNotFoundError:
        return ()


def _events(text: str) -> list[Event]:
    """The events in these lines; a truncated line is ignored."""
    found = []
    for line in text.splitlines():
        with suppress(ValueError, TypeError):
            found.append(Event(**json.loads(line)))
    return found
