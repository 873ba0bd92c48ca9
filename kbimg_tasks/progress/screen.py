"""Where the lines of a build are written: a terminal that is redrawn, or a plain stream."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from kbimg_tasks.diagnostics.terminal import COLOURS
from kbimg_tasks.progress.plain import Plain
from kbimg_tasks.progress.running import Running
from kbimg_tasks.progress.terminal import Terminal

# Select Graphic Rendition (ECMA-48): green; faint; bold and red, or yellow.
COLOUR_OF = {
    "made": "32",
    "done": "32",
    "cached": "2",
    "FAILED": COLOURS["error"],
    "stopped": COLOURS["warning"],
}
# Control sequences (ECMA-48, 5.4), those of operating systems (8.3.89) and single controls.
_CONTROLS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b."
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class Screen:
    """Writes lines to `stream`. On a terminal the running stages are drawn below them."""

    def __init__(self) -> None:
        self.stream: TextIO = sys.stdout
        self._view: Plain | Terminal | None = None

    @property
    def columns(self) -> int | None:
        """The width of the terminal; None elsewhere."""
        return self._views.columns

    @property
    def bar(self) -> str:
        """The character that bars are made of."""
        with suppress(UnicodeEncodeError, LookupError):
            "━".encode(getattr(self.stream, "encoding", None) or "utf-8")
            return "━"
        return "="

    def write(self, text: str, running: Sequence[Running], how: str = "") -> None:
        """Write whole lines. `how` is the word that the text begins with, to be coloured."""
        if self._views.has_colours and how in COLOUR_OF:
            text = f"\033[{COLOUR_OF[how]}m{how}\033[0m{text[len(how) :]}"
        self._views.write(text, running, time.monotonic())

    def write_output(self, stage: str, line: str, running: Sequence[Running]) -> None:
        """Write a line that a stage's program has printed."""
        self._views.stream(f"{stage} | {harmless(line)}", running, time.monotonic())

    def draw(self, running: Sequence[Running]) -> None:
        """Draw the running stages."""
        self._views.draw(running, time.monotonic())

    def close(self) -> None:
        """Delete what is drawn; the lines stay."""
        self._views.close(time.monotonic())

    @property
    def _views(self) -> Plain | Terminal:
        # Made at the first use: doit sets the stream after this object is made.
        if self._view is None:
            self._view = (
                Terminal(self.stream, os.environ)
                if _can_be_redrawn(self.stream)
                else Plain(self.stream)
            )
        return self._view


def harmless(line: str) -> str:
    """A program's line without what would move a terminal's cursor or change its state. Of what
    it has overwritten by returning to the start of the line, only the last text is kept."""
    return _CONTROLS.sub("", line.rstrip("\r\n").rpartition("\r")[2])


def _can_be_redrawn(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
