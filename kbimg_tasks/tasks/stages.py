"""From planned stages to doit's tasks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Callable

from attrs import frozen
from doit.exceptions import TaskFailed

from kbimg_tasks.build import lock, stamps, store
from kbimg_tasks.build.runner import StageFailed, perform
from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.diagnostics.problem import Problem
from kbimg_tasks.host import process
from kbimg_tasks.progress import Display
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Artifact, Stage
from kbimg_tasks.tasks import clean
from kbimg_tasks.tasks.reporter import ASIDE, SILENT

READY = "ready"
_checking = threading.Lock()
_checked: set[Artifact] = set()


@frozen
class Condition:
    """What must hold for a task to have nothing to do; `doit info` says it when it does not."""

    words: str
    holds: Callable[[], bool]

    def __call__(self) -> bool:
        return self.holds()

    def __str__(self) -> str:
        return self.words


class Impossible(Exception):
    """A task of its own could not do what it was asked for; the text is for the user."""


def tasks(
    stages: Iterable[Stage],
    layout: Layout,
    display: Display,
    makers: Mapping[Path, str] | None = None,
    outdated: Mapping[str, Callable[[], bool]] | None = None,
    cleaning: Cleaning | None = None,
    checked_first: Mapping[str, tuple[str, ...]] | None = None,
    named: Collection[str] = (),
    blamed: Callable[..., Iterable[object]] = lambda _stage, _option, _last: (),
) -> Iterator[dict[str, Any]]:
    """One task for each stage, in build order.

    `makers` names the tasks that make files which a stage finds outside the output directory.
    `outdated` tells of stages whose world outside this machine may have changed. `checked_first`
    has for a stage the checks that come before it without giving it anything. What is kept is
    cleaned only where its stage is among the tasks `named` by the command. `blamed` tells of a
    failed stage, of who asked for the step that failed, and of its last lines, what is to blame.
    """
    stages = tuple(stages)
    by_name = {stage.name: stage for stage in stages}
    for stage in stages:
        outside = [(makers or {}).get(source.path) for source in stage.sources()]
        yield {
            "basename": stage.name,
            "doc": stage.summary,
            "actions": [(_make, [stage, by_name, layout, display, blamed])],
            "targets": [str(layout.published(artifact)) for artifact in stage.artifacts],
            "task_dep": [
                READY,
                *filter(None, outside),
                *(checked_first or {}).get(stage.name, ()),
                *dict.fromkeys(need.stage for need in stage.needs()),
            ],
            "uptodate": [
                Condition(
                    "made, from what there is now",
                    partial(_is_current, layout, stage, (outdated or {}).get(stage.name)),
                )
            ],
            "clean": [clean.of_stages([stage], cleaning or Cleaning(layout))]
            if stage.name in named or not stage.is_kept
            else [],
            # What programs print is shown by the display, if it is to be.
            "io": {"capture": False},
        }


def outside(
    name: str,
    doc: str,
    target: Path,
    is_current: Callable[[], bool],
    say: Callable[[str], None],
    module: str,
    *arguments: str,
) -> dict[str, Any]:
    """The task of a program of ours that makes something outside the output directory, until that
    is current, and prints little."""

    def act() -> TaskFailed | None:
        status = process.follow([sys.executable, "-m", module, *arguments], say)
        return TaskFailed(f"{name}: exit status {status}") if status else None

    return {
        "basename": name,
        "doc": doc,
        "actions": [(act, [])],
        "targets": [str(target)],
        "task_dep": [READY],
        "uptodate": [Condition("made as it would be now", is_current)],
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
    """A task that makes no file. What it cannot do, it says by an Impossible; `after` are the tasks
    that come before it, `is_done` tells when there is nothing to do. One that is done aside says
    all there is to say, touches nothing, and needs no right configuration."""

    def act() -> TaskFailed | None:
        try:
            action()
        except Impossible as complaint:
            return TaskFailed(str(complaint))
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
    """The task that every stage waits for: the configuration and the host are as they must be.
    What is to be known all the same is told by `warn`."""

    def is_ready() -> bool:
        if problems():
            return False
        if warn:
            warn()
        return True

    return {
        "basename": READY,
        "doc": "look at the configuration and this host, as every build does first",
        "actions": [(_refuse, [problems])],
        "uptodate": [Condition("nothing is wrong", is_ready)],
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
    """The task of one image: all its results, and the tasks that do something with them."""
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
        "uptodate": [Condition("all its results made, from what there is now", is_made)],
        "clean": [clean.of_stages(made, cleaning)] if cleaning else [],
        "task_dep": [READY, *(stage.name for stage in made), *then],
    }


def _is_current(layout: Layout, stage: Stage, is_outdated: Callable[[], bool] | None) -> bool:
    return stamps.is_made(layout, stage) and not (is_outdated and is_outdated())


def _make(
    stage: Stage,
    by_name: Mapping[str, Stage],
    layout: Layout,
    display: Display,
    blamed: Callable[..., Iterable[object]],
) -> TaskFailed | None:
    lock.hold(layout)
    try:
        for artifact in stage.needs():
            _check(artifact, by_name[artifact.stage], layout, display)
        perform(stage, layout, display)
    except StageFailed as failure:
        blame = map(str, blamed(stage.name, failure.option, failure.last))
        return TaskFailed("\n".join((*blame, str(failure))))
    return None


def _check(artifact: Artifact, maker: Stage, layout: Layout, display: Display) -> None:
    """What lies outside the output directory can have been damaged or emptied by others: it is
    looked at once before it is read, and made again if need be."""
    if not (maker.is_shared or artifact.files_told_by):
        return
    with _checking:
        if artifact in _checked:
            return
        store.hold(layout, maker.name)
        if not stamps.is_intact(layout, artifact):
            display.say(
                f"      {maker.name:<15} {layout.published(artifact)} was changed or "
                "emptied from outside: made again"
            )
            perform(maker, layout, display)
        _checked.add(artifact)


def _refuse(problems: Callable[[], tuple[Problem, ...]]) -> TaskFailed:
    return TaskFailed("\n".join(map(str, problems())))
