"""Who is told how far a stage is while it is made."""

from __future__ import annotations

from typing import Callable


class Watcher:
    """One who does not care. A display of a build overrides all of it; every method may be called
    from any thread."""

    def step(self, stage: str, program: str) -> None:
        """A stage's next program begins; what was told of the one before is over."""

    def advance(self, stage: str, count: int, total: int, unit: str) -> None:
        """A stage is `count` of `total` far, counted in `unit`; a total of 0 is unknown."""

    def follow(self, stage: str, written: Callable[[], int], total: int) -> None:
        """A stage writes a file: `written` tells at any time how many bytes there are of about
        `total`; a total of 0 is unknown."""

    def found(self, stage: str) -> None:
        """A stage need not be made: what it makes was in the store."""

    def output(self, stage: str, line: str) -> None:
        """A stage's program has printed a line, which is in the stage's log too."""
