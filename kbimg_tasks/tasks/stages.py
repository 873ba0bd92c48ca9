"""Turns planned stages into doit's tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Callable

from attrs import frozen
from doit.exceptions import TaskFailed

from kbimg_tasks.build import stamps
from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.diagnostics.problem import Problem
from kbimg_tasks.host import process
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tasks import clean
from kbimg_tasks.tasks.making import Maker
from kbimg_tasks.tasks.reporter import ASIDE, SILENT
from kbimg_tasks.tools.user_error import UserError

READY = "ready"


@frozen
class Condition:
    """The check whether a task is up to date; `doit info` shows `words` if it is not."""

    words: str
    holds: Callable[[], bool]

    def __call__(self) -> bool:
        return self.holds()

    def __str__(self) -> str:
        return self.words


def tasks(
    stages: Iterable[Stage],
    maker: Maker,
    cleaned: Mapping[str, Cleaning],
    after: Mapping[str, Sequence[str]],
    outdated: Mapping[str, Callable[[], bool]],
) -> Iterator[dict[str, Any]]:
    """One task for each stage, in build order.

    `cleaned` has how `doit clean` cleans a stage, if it does. `after` has the tasks that come
    before a stage in addition to the stages that it needs. `outdated` has the checks of stages that
    can be out of date although their inputs are the same.
    """
    stages = tuple(stages)
    by_name = {stage.name: stage for stage in stages}
    for stage in stages:
        cleaning = cleaned.get(stage.name)
        yield {
            "basename": stage.name,
            "doc": stage.summary,
            "actions": [(maker.make, [stage, by_name])],
            "targets": [str(maker.layout.published(artifact)) for artifact in stage.artifacts],
            "task_dep": [
                READY,
                *after.get(stage.name, ()),
                *dict.fromkeys(need.stage for need in stage.needs()),
            ],
            "uptodate": [
                Condition(
                    "its result is missing or out of date",
                    partial(_is_current, maker.layout, stage, outdated.get(stage.name)),
                )
            ],
            "clean": [clean.of_stages([stage], cleaning)] if cleaning else [],
            # The display shows the output of programs when it is wanted.
            "io": {"capture": False},
        }


def outside(
    name: str,
    doc: str,
    target: Path,
    is_current: Callable[[], bool],
    say: Callable[[str], None],
    program: Sequence[str],
) -> dict[str, Any]:
    """The task that runs a Python module, the first item of `program`, which makes files outside
    the output directory."""

    def act() -> TaskFailed | None:
        status = process.follow([sys.executable, "-m", *program], say)
        return TaskFailed(f"{name}: exit status {status}") if status else None

    return {
        "basename": name,
        "doc": doc,
        "actions": [(act, [])],
        "targets": [str(target)],
        "task_dep": [READY],
        "uptodate": [Condition("it is missing or out of date", is_current)],
        "verbosity": 2,
    }


def note(
    name: str,
    doc: str,
    action: Callable[[], None],
    after: Iterable[str] = (),
    is_done: Callable[[], bool] | None = None,
    is_aside: bool = False,
) -> dict[str, Any]:
    """A task that makes no file. Its action raises UserError when it fails. The tasks `after` run
    before it; `is_done` says whether it is up to date. A task with `is_aside` does not change the
    output directory, can run while another process builds there, and needs no valid
    configuration."""

    def act() -> TaskFailed | None:
        try:
            action()
        except UserError as failure:
            return TaskFailed(str(failure))
        return None

    return {
        "basename": name,
        "doc": doc,
        "actions": [(act, [])],
        "task_dep": [*(() if is_aside else (READY,)), *after],
        "uptodate": [Condition("done before", is_done)] if is_done else [],
        "meta": {ASIDE: is_aside},
        "verbosity": 2,
    }


def ready(
    problems: Callable[[], tuple[Problem, ...]], warn: Callable[[], None] | None = None
) -> dict[str, Any]:
    """The task that runs before every stage: check the configuration and the host. If there are no
    problems, `warn` prints the warnings."""

    def is_ready() -> bool:
        if problems():
            return False
        if warn:
            warn()
        return True

    return {
        "basename": READY,
        "doc": "check configuration and host (runs before every build)",
        "actions": [(_refuse, [problems])],
        "uptodate": [Condition("configuration and host are not checked yet", is_ready)],
        "meta": {SILENT: True},
        "verbosity": 2,
    }


def group(
    image: str,
    doc: str,
    stages: Iterable[Stage],
    cleaning: Cleaning | None = None,
    then: Iterable[str] = (),
) -> dict[str, Any]:
    """The task of one image: its results, and the tasks that use them."""
    made = tuple(stages)

    def is_made() -> bool:
        return (
            cleaning is not None
            and bool(made)
            and all(stamps.is_made(cleaning.layout, stage) for stage in made)
        )

    return {
        "basename": image,
        "doc": doc,
        "actions": None,
        "uptodate": [Condition("its results are missing or out of date", is_made)],
        "clean": [clean.of_stages(made, cleaning)] if cleaning else [],
        "task_dep": [READY, *(stage.name for stage in made), *then],
    }


def _is_current(layout: Layout, stage: Stage, is_outdated: Callable[[], bool] | None) -> bool:
    return stamps.is_made(layout, stage) and not (is_outdated and is_outdated())


def _refuse(problems: Callable[[], tuple[Problem, ...]]) -> TaskFailed:
    return TaskFailed("\n".join(map(str, problems())))
