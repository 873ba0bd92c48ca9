"""The interface by which a running stage reports its progress."""

from __future__ import annotations

from typing import Callable


class Watcher:
    """Ignores all reports. The display of a build overrides every method; they can be called from
    any thread."""

    def step(self, stage: str, program: str) -> None:
        """The next program of a stage starts, and the progress of the previous one ends."""

    def advance(self, stage: str, count: int, total: int, unit: str) -> None:
        """A stage has done `count` of `total`, counted in `unit`; a total of 0 is unknown."""

    def follow(self, stage: str, written: Callable[[], int], total: int) -> None:
        """A stage writes a file: `written` returns the number of bytes so far, of about `total`; a
        total of 0 is unknown."""

    def found(self, stage: str) -> None:
        """A stage was found in the store."""

    def output(self, stage: str, line: str) -> None:
        """A program of a stage has printed a line, which is also in the stage's log."""
