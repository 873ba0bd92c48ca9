"""The lines of one build, from whichever thread they come."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Callable, TextIO

from kbimg_tasks.diagnostics.terminal import COLOURS
from kbimg_tasks.progress import lines
from kbimg_tasks.progress.lines import Ended
from kbimg_tasks.progress.plain import Plain
from kbimg_tasks.progress.running import Running
from kbimg_tasks.progress.terminal import Terminal
from kbimg_tasks.progress.watcher import Watcher

DRAW_SECONDS = 0.25
# What was kept is said when something else is, and at the latest by then.
KEPT_SECONDS = 1.0
# Select Graphic Rendition (ECMA-48): green; faint; bold and red, or yellow.
COLOUR_OF = {
    "made": "32",
    "done": "32",
    "kept": "2",
    "FAILED": COLOURS["error"],
    "stopped": COLOURS["warning"],
}
# Control sequences (ECMA-48, 5.4), those of operating systems (8.3.89) and single controls.
_CONTROLS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b."
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class Display(Watcher):
    """What a build says. Running stages are shown on a terminal; elsewhere, and where the terminal
    cannot be redrawn, there are lines alone."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._running: dict[str, Running] = {}
        self._kept: list[str] = []
        self._kept_since = 0.0
        self._view: Plain | Terminal | None = None
        self._is_over = threading.Event()
        self._is_drawing = False
        self.stream: TextIO = sys.stdout

    def start(self, stage: str, is_streamed: bool = False) -> None:
        """A stage begins; all that its programs print is shown if it is streamed."""
        with self._guard:
            self._running[stage] = Running(stage, time.monotonic(), is_streamed)
            if not self._is_drawing:
                self._is_drawing = True
                threading.Thread(target=self._draw_again, daemon=True).start()

    # A worker process of `doit -P process` has no running stages: nothing of them is shown.

    def step(self, stage: str, program: str) -> None:
        with self._guard:
            if stage in self._running:
                self._running[stage].begin(program)

    def advance(self, stage: str, count: int, total: int, unit: str) -> None:
        with self._guard:
            running = self._running.get(stage)
            if running:
                running.count, running.total, running.unit = count, total, unit

    def follow(self, stage: str, written: Callable[[], int], total: int) -> None:
        with self._guard:
            running = self._running.get(stage)
            if running:
                running.written, running.total = written, total

    def found(self, stage: str) -> None:
        with self._guard:
            if stage in self._running:
                self._running[stage].is_found = True

    def output(self, stage: str, line: str) -> None:
        running = self._running.get(stage)
        if running and running.is_streamed:
            with self._guard:
                self._views.stream(f"{stage} | {harmless(line)}", *self._now())

    def end(self, how: str, stage: str, summary: str, allocated: int | None = None) -> Ended:
        """A stage is over, in one of the ways that Ended knows."""
        with self._guard:
            running = self._running.pop(stage, None)
            taken = time.monotonic() - running.since if running else None
            ended = Ended(how, stage, taken, allocated)
            words = "found in the store" if running and running.is_found else summary
            self._say_kept()
            self._write(lines.ended(ended, words, self._views.columns), how)
            return ended

    def keep(self, stage: str) -> None:
        """A stage was up to date."""
        with self._guard:
            self._kept_since = self._kept_since if self._kept else time.monotonic()
            self._kept.append(stage)

    def say(self, text: str) -> None:
        """Whole lines of their own."""
        with self._guard:
            self._say_kept()
            self._write(text)

    def summarise(self, made: Sequence[Ended], results: Sequence[tuple[Path, int | None]]) -> None:
        """Where the time went, if there was more than one stage, and what came of it."""
        bar = "━" if _has(self.stream, "━") else "="
        if len(made) > 1:
            self.say("\n".join(("", *lines.table(made, bar, self._views.columns))))
        if results:
            self.say("\n".join(("", *lines.results(results), "")))

    def finish(self) -> Sequence[Ended]:
        """Nothing runs any more; what still did was interrupted, and is told."""
        with self._guard:
            self._is_over.set()
            stopped = [
                self.end("stopped", stage, running.detail)
                for stage, running in tuple(self._running.items())
            ]
            self._say_kept()
            self._views.close(time.monotonic())
            return stopped

    @property
    def _views(self) -> Plain | Terminal:
        # As late as this: doit says where to write after the display is made.
        if self._view is None:
            self._view = (
                Terminal(self.stream, os.environ)
                if _can_be_redrawn(self.stream)
                else Plain(self.stream)
            )
        return self._view

    def _now(self) -> tuple[Sequence[Running], float]:
        return tuple(self._running.values()), time.monotonic()

    def _write(self, text: str, how: str = "") -> None:
        if self._views.has_colours and how in COLOUR_OF:
            text = f"\033[{COLOUR_OF[how]}m{how}\033[0m{text[len(how) :]}"
        self._views.write(text, *self._now())

    def _say_kept(self) -> None:
        if self._kept:
            kept, self._kept = self._kept, []
            self._write(lines.kept(kept, self._views.columns), "kept")

    def _draw_again(self) -> None:
        # A reader that went away is told of where somebody waits for the line.
        with suppress(OSError):
            while not self._is_over.wait(DRAW_SECONDS):
                with self._guard:
                    if self._is_over.is_set():
                        return
                    if self._kept and time.monotonic() - self._kept_since > KEPT_SECONDS:
                        self._say_kept()
                    running, now = self._now()
                    for one in running:
                        one.look()
                    self._views.draw(running, now)


def harmless(line: str) -> str:
    """A program's line without what would move a terminal's cursor or change its state; of what it
    has overwritten by returning to the line's beginning, the last."""
    return _CONTROLS.sub("", line.rstrip("\r\n").rpartition("\r")[2])


def _can_be_redrawn(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _has(stream: TextIO, letter: str) -> bool:
    with suppress(UnicodeEncodeError, LookupError):
        letter.encode(getattr(stream, "encoding", None) or "utf-8")
        return True
    return False
