"""What doit reports with."""

from __future__ import annotations

import time
from pathlib import Path

from doit.reporter import ConsoleReporter

from kbimg_tasks.build import lock, stamps
from kbimg_tasks.diagnostics.figures import duration
from kbimg_tasks.progress.display import Display
from kbimg_tasks.progress.lines import Ended
from kbimg_tasks.steps.layout import Layout

# A task with this in doit's `meta` is not spoken of when there was nothing to do.
SILENT = "is_silent"
# Tasks with this in their `meta` say all there is to say, and touch nothing.
ASIDE = "is_aside"
# doit's word for showing everything at once: `doit --verbosity 2`.
FULL_VERBOSITY = 2


class StageReporter(ConsoleReporter):
    """Shows what was made, what was up to date, and how long it took.

    doit makes the object itself: `reporter` makes the class that it calls.
    """

    desc = "stages of an image, made or kept"

    def __init__(self, layout: Layout, display: Display, outstream, options) -> None:
        super().__init__(outstream, options)
        self._layout, self._display = layout, display
        self._display.stream = outstream
        self._began = time.monotonic()
        self._ended: list[Ended] = []
        self._kept = 0
        self._results: dict[Path, int | None] = {}
        # Nothing is said of a build that cannot have its output directory.
        self._is_aside = True

    def initialize(self, tasks, selected_tasks: list[str]) -> None:
        """Take the output directory, before anything is looked at; unless all is done aside,
        where others may be building."""
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
            self._kept += 1
            self._find(task)
            self._display.keep(task.name)

    def add_failure(self, task, fail) -> None:
        if not fail.report:
            return
        self._end(task, "FAILED")
        message = fail.get_msg().rstrip()
        if message:
            self._display.say(message)

    def complete_run(self) -> None:
        self._ended += self._display.finish()
        made = [one for one in self._ended if one.how == "made"]
        if made and not self._names("FAILED", "stopped"):
            self._display.summarise(made, sorted(self._results.items()))
        if not self._is_aside:
            self._display.say(
                f"{self._counts() or 'nothing to do'} in "
                f"{duration(time.monotonic() - self._began)}; "
                f"output directory {self._layout.out}"
            )
        for message in self.runtime_errors:
            self._display.say(message)
        self._display.finish()

    def _end(self, task, how: str) -> None:
        if self._is_aside:
            return
        allocated = self._find(task) if how == "made" else None
        self._ended.append(self._display.end(how, task.name, task.doc or "", allocated))

    def _find(self, task) -> int | None:
        """Remember the results among what a task makes; what all of it takes on the disk."""
        taken = stamps.allocated(self._layout, task.name)
        for name in task.targets:
            if Path(name).parent == self._layout.out:
                self._results[Path(name)] = taken.get(Path(name).name)
        return sum(taken.values()) if taken else None

    def _counts(self) -> str:
        counts = {how: len(self._names(how)) for how in ("made", "done")}
        counts["kept"] = self._kept
        words = [f"{count} {how}" for how, count in counts.items() if count]
        for how in ("FAILED", "stopped"):
            words += [f"{how}: {' '.join(self._names(how))}"] if self._names(how) else []
        return ", ".join(words)

    def _names(self, *hows: str) -> list[str]:
        return [one.stage for one in self._ended if one.how in hows]


def reporter(layout: Layout, display: Display) -> type[ConsoleReporter]:
    """The class that doit makes its reporter of, for a build in this output directory."""

    class Reporter(StageReporter):
        """With its dependencies given."""

        def __init__(self, outstream, options) -> None:
            super().__init__(layout, display, outstream, options)

    return Reporter
