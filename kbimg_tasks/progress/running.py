"""A stage that is being made: since when, and how far it is."""

from __future__ import annotations

from typing import Callable

from attrs import define

from kbimg_tasks.tools.units import MIB


@define
class Running:
    """`since` is in seconds of CLOCK_MONOTONIC. `count` of `total` things of a `unit` are done; a
    total of 0 is unknown. What writes a file counts in bytes, which `written` tells."""

    stage: str
    since: float
    is_streamed: bool = False
    is_found: bool = False
    program: str = ""
    count: int = 0
    total: int = 0
    unit: str = ""
    written: Callable[[], int] | None = None

    def begin(self, program: str) -> None:
        """Its next program begins."""
        self.program, self.count, self.total, self.unit, self.written = program, 0, 0, "", None

    def look(self) -> None:
        """Find out how much is written by now."""
        if self.written:
            self.count = self.written()

    @property
    def share(self) -> float | None:
        """How much of it is done, between 0 and 1; None where the end is not known."""
        return min(self.count / self.total, 1.0) if self.total else None

    @property
    def detail(self) -> str:
        """How far it is in words; the name of the program at work where nothing is counted."""
        if self.written:
            return self._counted(self.count // MIB, self.total // MIB, "MiB")
        if self.unit:
            return self._counted(self.count, self.total, self.unit)
        return self.program

    def _counted(self, count: int, total: int, unit: str) -> str:
        # What is written can be a little more than what it is made of.
        return f"{min(count, total)} of {total} {unit}" if total else f"{count} {unit}"
