"""The action that makes one stage."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import starmap
from typing import Callable

from attrs import define, field
from doit.exceptions import TaskFailed

from kbimg_tasks.build import lock, stamps, store
from kbimg_tasks.build.runner import StageFailed, perform
from kbimg_tasks.diagnostics.problem import Option
from kbimg_tasks.progress import Display
from kbimg_tasks.steps.args import Artifact
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage

# The problem to report for an option and an error message: `Config.problem`.
Located = Callable[[Option, str], object]


@define(eq=False)
class Maker:
    """Makes stages in one output directory, from several threads at once."""

    layout: Layout
    display: Display
    located: Located | None = None
    _guard: threading.Lock = field(factory=threading.Lock)
    _checked: set[Artifact] = field(factory=set)

    def make(self, stage: Stage, by_name: Mapping[str, Stage]) -> TaskFailed | None:
        """Make a stage; `by_name` has the stages that it needs."""
        lock.hold(self.layout)
        try:
            for artifact in stage.needs():
                self._check(artifact, by_name[artifact.stage])
            perform(stage, self.layout, self.display)
        except StageFailed as failure:
            problems = starmap(self.located, failure.blamed) if self.located else ()
            return TaskFailed("\n".join((*map(str, problems), str(failure))))
        return None

    def _check(self, artifact: Artifact, stage: Stage) -> None:
        """Other processes can change files outside the output directory: check an artifact there
        once before it is read, and make it again if it was changed."""
        if not (stage.is_shared or artifact.checksums):
            return
        with self._guard:
            if artifact in self._checked:
                return
            store.hold(self.layout, stage.name)
            if not stamps.is_intact(self.layout, artifact):
                self.display.say(
                    f"      {stage.name:<15} {self.layout.published(artifact)} was changed or "
                    "deleted by another process: making it again"
                )
                perform(stage, self.layout, self.display)
            self._checked.add(artifact)
