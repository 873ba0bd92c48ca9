"""The tasks and actions of `doit clean` and `doit cleanup`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Callable

from doit.action import PythonAction
from doit.exceptions import TaskFailed

from kbimg_tasks.commands.clean import leftovers
from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tools.user_error import UserError

OUTPUT = "_output"


def cleanup(cleaning: Cleaning, say: Callable[[str], None]) -> dict[str, Any]:
    """The task that deletes what an aborted build left; finished stages stay."""
    return {
        "basename": "cleanup",
        "doc": "unmount and delete what aborted builds left; finished results stay",
        "actions": [(_recover, [cleaning, say])],
        "verbosity": 2,
    }


def output(cleaning: Cleaning, stages: Iterable[Stage]) -> dict[str, Any]:
    """The task that `doit clean` without names cleans: the output directory as a whole."""
    names = {
        artifact.name
        for stage in stages
        for artifact in stage.artifacts
        if artifact.is_result and not stage.protected
    }

    def clean(dryrun: bool) -> None:
        paths = leftovers.everything(cleaning.layout, names)
        _stop_unless_done(cleaning.show_all if dryrun else cleaning.remove_all, paths)

    return {
        "basename": OUTPUT,
        "doc": "the output directory",
        "actions": None,
        "clean": [_Described(clean, f"clean {cleaning.layout.out}")],
    }


class _Described(PythonAction):
    """An action with a description, which doit prints."""

    def __init__(self, function: Callable[..., None], words: str) -> None:
        super().__init__(function)
        self._words = words

    def __str__(self) -> str:
        return self._words


def of_stages(stages: Iterable[Stage], cleaning: Cleaning) -> PythonAction:
    """The action that deletes the results of the stages and their partial files."""

    def clean(dryrun: bool) -> None:
        paths = [path for stage in stages for path in leftovers.of_stage(stage, cleaning.layout)]
        if dryrun or paths:
            _stop_unless_done(cleaning.show if dryrun else cleaning.remove, paths)

    return _Described(clean, "delete its results")


def _stop_unless_done(do: Callable[..., None], paths: Sequence[Path]) -> None:
    # doit prints an exception of a clean action, and then exits with status 0.
    try:
        do(paths, print)
    except UserError as error:
        raise SystemExit(str(error)) from None


def _recover(cleaning: Cleaning, say: Callable[[str], None]) -> TaskFailed | None:
    try:
        cleaning.recover(leftovers.unfinished(cleaning.layout), say)
    except UserError as error:
        return TaskFailed(str(error))
    return None
