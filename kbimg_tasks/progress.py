"""What a build shows while it works: one line a stage, and how far the running ones are.

On a terminal the running stages share a last line that is rewritten; elsewhere long ones say
something every few seconds, so that a CI system's log shows life.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import Dict, List, Type

from attrs import define
from doit.reporter import ConsoleReporter

from kbimg_tasks import lock, stamps
from kbimg_tasks.layout import Layout

REDRAW_SECONDS = 0.2
PLAIN_SECONDS = 5.0
# A task with this in doit's `meta` is not spoken of when there was nothing to do.
SILENT = "is_silent"
# One with this needs no output directory of its own.
READS_ONLY = "reads_only"


@define
class _Running:
    since: float
    said: float
    detail: str = ""


class Display:
    """The lines of one build. Safe to call from every thread of it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: Dict[str, _Running] = {}
        self._drawn = False
        self._redrawn = 0.0
        self.stream = sys.stdout

    def start(self, stage: str) -> None:
        """A stage begins."""
        with self._guard:
            now = time.monotonic()
            self._running[stage] = _Running(now, now)
            self._draw(True)

    def advance(self, stage: str, count: int, total: int, unit: str) -> None:
        """A running stage is `count` of `total` far; a total of 0 is unknown."""
        with self._guard:
            running = self._running.get(stage)
            if running is None:  # a worker process of `doit -P process` has no lines of its own
                return
            running.detail = f"{count} of {total} {unit}" if total else f"{count} {unit}"
            now = time.monotonic()
            if self._terminal:
                self._draw(False)
            elif now - running.said >= PLAIN_SECONDS:
                running.said = now
                self._line(f"      {stage:<15} {running.detail}, {now - running.since:.0f} s")

    def end(self, stage: str, how: str, summary: str) -> None:
        """A stage is over: `made`, `kept` or `FAILED`; a task that makes no file is `done`."""
        with self._guard:
            running = self._running.pop(stage, None)
            took = f"  {time.monotonic() - running.since:.1f} s" if running else ""
            detail = f" ({running.detail})" if running and running.detail else ""
            self._line(f"{how:<5} {stage:<15} {summary}{detail}{took}")
            self._draw(True)

    def say(self, text: str) -> None:
        """Whole lines of their own."""
        with self._guard:
            self._line(text)

    @property
    def _terminal(self) -> bool:
        return self.stream.isatty()

    def _line(self, text: str) -> None:
        erase = "\r\033[K" if self._drawn else ""
        self._drawn = False
        self.stream.write(f"{erase}{text}\n")
        self.stream.flush()

    def _draw(self, now: bool) -> None:
        if not self._terminal or not (now or time.monotonic() - self._redrawn > REDRAW_SECONDS):
            return
        parts = [f"{stage} {running.detail}".rstrip() for stage, running in self._running.items()]
        width = shutil.get_terminal_size().columns - 1
        text = ("...   " + " | ".join(parts))[:width] if parts else ""
        self.stream.write(f"\r\033[K{text}")
        self.stream.flush()
        self._drawn = bool(text)
        self._redrawn = time.monotonic()


def reporter(layout: Layout, display: Display) -> Type[ConsoleReporter]:
    """The doit reporter of a build in this output directory."""

    class StageReporter(ConsoleReporter):
        """One line for each stage that was made or kept."""

        desc = "stages of an image, made or kept"

        def __init__(self, outstream, options) -> None:
            super().__init__(outstream, options)
            display.stream = outstream
            self._began = time.monotonic()
            self._counts = {"made": 0, "kept": 0, "done": 0, "FAILED": 0}

        def initialize(self, tasks, selected_tasks: List[str]) -> None:
            """Take the output directory, before anything is looked at, unless it is only read."""
            if selected_tasks and all((tasks[name].meta or {}).get(READS_ONLY)
                                      for name in selected_tasks):  # fmt: skip
                return
            lock.hold(layout)
            stamps.settle(layout)

        def execute_task(self, task) -> None:
            if task.actions:
                display.start(task.name)

        def add_success(self, task) -> None:
            if task.actions:
                self._end(task, "made" if task.targets else "done")

        def skip_uptodate(self, task) -> None:
            if task.actions and not (task.meta or {}).get(SILENT):
                self._end(task, "kept")

        def add_failure(self, task, fail) -> None:
            if not fail.report:
                return
            self._end(task, "FAILED")
            display.say(fail.get_msg().rstrip())

        def complete_run(self) -> None:
            counts = ", ".join(f"{count} {how}" for how, count in self._counts.items() if count)
            display.say(f"{counts or 'nothing to do'} in {time.monotonic() - self._began:.1f} s; "
                        f"output directory {layout.out}")
            for message in self.runtime_errors:
                display.say(message)

        def _end(self, task, how: str) -> None:
            self._counts[how] += 1
            display.end(task.name, how, task.doc or "")

    return StageReporter
