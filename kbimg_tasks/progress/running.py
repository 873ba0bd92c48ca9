"""A running stage and its progress."""

from __future__ import annotations

from typing import Callable

from attrs import define

from kbimg_tasks.tools.units import MIB


@define
class Running:
    """A running stage. `since` is in seconds of CLOCK_MONOTONIC. `count` of `total` are done,
    counted in `unit`; a total of 0 is unknown. For a step that writes a file they are bytes, which
    `written` returns."""

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
        """The next program of the stage starts."""
        self.program, self.count, self.total, self.unit, self.written = program, 0, 0, "", None

    def look(self) -> None:
        """Update the number of bytes written."""
        if self.written:
            self.count = self.written()

    @property
    def share(self) -> float | None:
        """The share that is done, from 0 to 1; None if the total is unknown."""
        return min(self.count / self.total, 1.0) if self.total else None

    @property
    def detail(self) -> str:
        """The progress as text, or the name of the current program if nothing is counted."""
        if self.written:
            return self._counted(self.count // MIB, self.total // MIB, "MiB")
        if self.unit:
            return self._counted(self.count, self.total, self.unit)
        return self.program

    def _counted(self, count: int, total: int, unit: str) -> str:
        # The written file can be a little larger than its sources.
        return f"{min(count, total)} of {total} {unit}" if total else f"{count} {unit}"
