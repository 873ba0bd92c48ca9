"""The progress of one build: what its threads report becomes lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Callable

from kbimg_tasks.progress import lines
from kbimg_tasks.progress.lines import Ended
from kbimg_tasks.progress.running import Running
from kbimg_tasks.progress.screen import Screen
from kbimg_tasks.progress.watcher import Watcher

DRAW_SECONDS = 0.25
# Stages that are up to date are written in one line: with the next other line, or after this time.
UP_TO_DATE_SECONDS = 1.0


class Display(Watcher):
    """Shows the stages of a build while they run, and one line for each that has ended."""

    def __init__(self) -> None:
        self.screen = Screen()
        self._guard = threading.RLock()
        self._running: dict[str, Running] = {}
        self._up_to_date: list[str] = []
        self._up_to_date_since = 0.0
        self._is_over = threading.Event()
        self._is_drawing = False

    def start(self, stage: str, is_streamed: bool = False) -> None:
        """A stage begins. If it is streamed, the output of its programs is shown."""
        with self._guard:
            self._running[stage] = Running(stage, time.monotonic(), is_streamed)
            if not self._is_drawing:
                self._is_drawing = True
                threading.Thread(target=self._redraw, daemon=True).start()

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
                self.screen.write_output(stage, line, self._now())

    def end(self, how: str, stage: str, summary: str, allocated: int | None = None) -> Ended:
        """A stage has ended, in one of the ways of Ended."""
        with self._guard:
            running = self._running.pop(stage, None)
            taken = time.monotonic() - running.since if running else None
            ended = Ended(how, stage, taken, allocated)
            text = "cache hit" if running and running.is_found else summary
            self._write_up_to_date()
            self.screen.write(lines.ended(ended, text, self.screen.columns), self._now(), how)
            return ended

    def cached(self, stage: str) -> None:
        """A stage was up to date."""
        with self._guard:
            if not self._up_to_date:
                self._up_to_date_since = time.monotonic()
            self._up_to_date.append(stage)

    def say(self, text: str) -> None:
        """Write whole lines."""
        with self._guard:
            self._write_up_to_date()
            self.screen.write(text, self._now())

    def summarise(self, made: Sequence[Ended], results: Sequence[tuple[Path, int | None]]) -> None:
        """Write a table of the stages by time, if there was more than one, and the results."""
        if len(made) > 1:
            table = lines.table(made, self.screen.bar, self.screen.columns)
            self.say("\n".join(("", *table)))
        if results:
            self.say("\n".join(("", *lines.results(results), "")))

    def finish(self) -> Sequence[Ended]:
        """The build is over. Returns the stages that were still running: they were interrupted."""
        with self._guard:
            self._is_over.set()
            stopped = [
                self.end("stopped", stage, running.detail)
                for stage, running in tuple(self._running.items())
            ]
            self._write_up_to_date()
            self.screen.close()
            return stopped

    def _now(self) -> Sequence[Running]:
        return tuple(self._running.values())

    def _write_up_to_date(self) -> None:
        if self._up_to_date:
            stages, self._up_to_date = self._up_to_date, []
            self.screen.write(lines.cached(stages, self.screen.columns), self._now(), "cached")

    def _redraw(self) -> None:
        # An error of writing to a closed pipe is raised again where somebody waits for the line.
        with suppress(OSError):
            while not self._is_over.wait(DRAW_SECONDS):
                with self._guard:
                    if self._is_over.is_set():
                        return
                    waited = time.monotonic() - self._up_to_date_since
                    if self._up_to_date and waited > UP_TO_DATE_SECONDS:
                        self._write_up_to_date()
                    running = self._now()
                    for one in running:
                        one.look()
                    self.screen.draw(running)
