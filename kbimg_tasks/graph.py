"""From planned stages to doit's tasks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Tuple

from doit.exceptions import TaskFailed

from kbimg_tasks import lock, recovery, stamps
from kbimg_tasks.layout import Layout
from kbimg_tasks.progress import Display
from kbimg_tasks.runner import StageFailed, perform
from kbimg_tasks.sandbox import CONTAINMENT
from kbimg_tasks.stage import Stage

READY = "ready"


def tasks(stages: Iterable[Stage], layout: Layout, display: Display,
          makers: Optional[Mapping[Path, str]] = None) -> Iterator[Dict[str, Any]]:  # fmt: skip
    """One task for each stage, in build order.

    `makers` names the tasks that make files which a stage finds outside the output directory.
    """
    for stage in stages:
        outside = [(makers or {}).get(source.path) for source in stage.sources()]
        yield {
            "basename": stage.name,
            "doc": stage.summary,
            "actions": [(_make, [stage, layout, display])],
            "targets": [str(layout.published(artifact)) for artifact in stage.artifacts],
            "task_dep": [READY, *filter(None, outside),
                         *dict.fromkeys(need.stage for need in stage.needs())],
            "uptodate": [(stamps.is_made, [layout, stage])],
            "clean": [(_clean, [stage, layout])],
            "verbosity": 2,
        }


def outside(name: str, doc: str, target: Path, module: str) -> Dict[str, Any]:
    """The task of a program of ours that makes something outside the output directory, once."""
    return {
        "basename": name,
        "doc": doc,
        "actions": [[*CONTAINMENT, sys.executable, "-m", module]],
        "targets": [str(target)],
        "task_dep": [READY],
        "uptodate": [True],
        "verbosity": 2,
    }


def ready(problems: Callable[[], Tuple[str, ...]]) -> Dict[str, Any]:
    """The task that every stage waits for: the configuration and the host are as they must be."""
    return {
        "basename": READY,
        "doc": "the configuration and this host, checked before anything is built",
        "actions": [(_refuse, [problems])],
        "uptodate": [(lambda: not problems(), [])],
        "verbosity": 2,
    }


def group(image: str, doc: str, stages: Iterable[Stage]) -> Dict[str, Any]:
    """The task of one image: all its results."""
    return {"basename": image, "doc": doc, "actions": None,
            "task_dep": [READY, *(stage.name for stage in stages)]}  # fmt: skip


def _make(stage: Stage, layout: Layout, display: Display) -> Optional[TaskFailed]:
    lock.hold(layout)
    try:
        perform(stage, layout, display.advance)
    except StageFailed as failure:
        return TaskFailed(str(failure))
    return None


def _refuse(problems: Callable[[], Tuple[str, ...]]) -> TaskFailed:
    return TaskFailed("\n".join(problems()))


def _clean(stage: Stage, layout: Layout) -> None:
    """Remove what the stage made and what it left half made; its stamp first."""
    if not layout.private.exists():
        return
    lock.hold(layout)
    places = [layout.stamp(stage.name)]
    places += [layout.published(artifact) for artifact in stage.artifacts]
    for place in (*places, layout.stage(stage.name), layout.partial(stage.name)):
        recovery.delete(place)
