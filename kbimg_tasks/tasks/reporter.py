"""doit's reporter, which writes to the display."""

from __future__ import annotations

import time
from pathlib import Path

from doit.reporter import ConsoleReporter

from kbimg_tasks.build import lock, stamps
from kbimg_tasks.diagnostics.figures import duration
from kbimg_tasks.progress.display import Display
from kbimg_tasks.progress.tally import Tally
from kbimg_tasks.steps.layout import Layout

# A task with this in doit's `meta` is not shown when it was up to date.
SILENT = "is_silent"
# Tasks with this in their `meta` print their own output and do not change the output directory.
ASIDE = "is_aside"
# doit's verbosity that streams all output: `doit --verbosity 2`.
FULL_VERBOSITY = 2


class StageReporter(ConsoleReporter):
    """Shows which stages were made, which were up to date, and the time each took.

    doit instantiates the class: `reporter` sets its layout and display.
    """

    desc = "stages of an image, made or up to date"
    _layout: Layout
    _display: Display

    def __init__(self, outstream, options) -> None:
        super().__init__(outstream, options)
        self._tally = Tally()
        self._display.screen.stream = outstream
        self._began = time.monotonic()
        # Until the output directory is locked, nothing is written about its stages.
        self._is_aside = True

    def initialize(self, tasks, selected_tasks: list[str]) -> None:
        """Lock the output directory before the stages are checked, unless all selected tasks leave
        it alone: then another process may be building in it."""
        is_aside = bool(selected_tasks) and all(
            (tasks[name].meta or {}).get(ASIDE) for name in selected_tasks
        )
        if not is_aside:
            lock.hold(self._layout)
            stamps.settle(self._layout)
        self._is_aside = is_aside

    def execute_task(self, task) -> None:
        if task.actions and not self._is_aside:
            self._display.start(task.name, task.verbosity == FULL_VERBOSITY)

    def add_success(self, task) -> None:
        if task.actions:
            self._end(task, "made" if task.targets else "done")

    def skip_uptodate(self, task) -> None:
        if task.actions and not self._is_aside and not (task.meta or {}).get(SILENT):
            self._tally.up_to_date += 1
            self._note_results(task)
            self._display.cached(task.name)

    def add_failure(self, task, fail) -> None:
        if not fail.report:
            return
        self._end(task, "FAILED")
        message = fail.get_msg().rstrip()
        if message:
            self._display.say(message)

    def complete_run(self) -> None:
        self._tally.ended += self._display.finish()
        if self._tally.made and self._tally.is_complete:
            self._display.summarise(self._tally.made, sorted(self._tally.results.items()))
        if not self._is_aside:
            taken = duration(time.monotonic() - self._began)
            self._display.say(f"{self._tally} in {taken}; output directory {self._layout.out}")
        for message in self.runtime_errors:
            self._display.say(message)
        self._display.finish()

    def _end(self, task, how: str) -> None:
        if self._is_aside:
            return
        allocated = self._note_results(task) if how == "made" else None
        self._tally.ended.append(self._display.end(how, task.name, task.doc or "", allocated))

    def _note_results(self, task) -> int | None:
        """Note the results of a task. Returns the disk space of all that it made, in bytes."""
        taken = stamps.allocated(self._layout, task.name)
        for name in task.targets:
            if Path(name).parent == self._layout.out:
                self._tally.results[Path(name)] = taken.get(Path(name).name)
        return sum(taken.values()) if taken else None


def reporter(layout: Layout, display: Display) -> type[ConsoleReporter]:
    """The reporter class for a build in this output directory, which doit instantiates."""
    return type("Reporter", (StageReporter,), {"_layout": layout, "_display": display})
