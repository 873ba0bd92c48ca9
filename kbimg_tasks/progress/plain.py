"""The lines of a build without a terminal: in a file, a pipe or the log of a CI system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from attrs import define

from kbimg_tasks.diagnostics.figures import elapsed
from kbimg_tasks.diagnostics.terminal import writable
from kbimg_tasks.progress.lines import INDENT
from kbimg_tasks.progress.running import Running

# How often a running stage gets a line: one with measured progress, and any other one.
COUNTING_SECONDS, ALIVE_SECONDS = 5.0, 30.0


@define
class _Said:
    detail: str
    time: float


class Plain:
    """One line for each event, and now and then one for a stage that runs long."""

    columns: int | None = None
    has_colours = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, _Said] = {}

    def write(self, text: str, running: Sequence[Running], now: float) -> None:
        """Write whole lines at once."""
        self._stream.write(f"{writable(text, self._stream)}\n")
        self._stream.flush()

    stream = write

    def draw(self, running: Sequence[Running], now: float) -> None:
        """Write the lines of running stages that are due."""
        names = [one.stage for one in running]
        self._said = {stage: said for stage, said in self._said.items() if stage in names}
        for one in running:
            said = self._said.setdefault(one.stage, _Said("", one.since))
            if not one.detail:  # for example a server, which has no progress
                continue
            is_new = bool(one.unit or one.written) and one.detail != said.detail
            if now - said.time >= (COUNTING_SECONDS if is_new else ALIVE_SECONDS):
                said.detail, said.time = one.detail, now
                self.write(
                    f"{' ' * INDENT}{one.stage}: {one.detail}, {elapsed(now - one.since)}",
                    running,
                    now,
                )

    def close(self, now: float) -> None:
        """Nothing to do: all lines are written."""
