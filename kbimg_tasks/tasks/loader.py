"""doit with the tasks of kbimg, in the caller's process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from doit.cmd_base import TaskLoader2
from doit.cmd_clean import Clean
from doit.cmd_help import Help
from doit.cmd_info import Info
from doit.cmd_list import List as ListTasks
from doit.cmd_run import Run
from doit.doit_cmd import DoitMain
from doit.loader import generate_tasks
from doit.task import Task

from kbimg_tasks.host.lifetime import outlive_readers, tell_of_interrupts, tie_workers
from kbimg_tasks.tasks import commands, images
from kbimg_tasks.tasks.command import Command


class Tasks(TaskLoader2):
    """The tasks for the arguments of a command, in the order of dodo.py."""

    def __init__(self, words: Sequence[str], started_in: Path) -> None:
        super().__init__()
        self._words, self._started_in = words, started_in
        self._command: Command | None = None

    @property
    def command(self) -> Command:
        """Created when doit asks for it, which it does not for `doit help`."""
        if self._command is None:
            self._command = Command.started(self._words, self._started_in)
        return self._command

    def load_doit_config(self) -> dict[str, Any]:
        """The settings of doit."""
        return self.command.doit_config

    def load_tasks(self, cmd: Any, pos_args: Sequence[str]) -> list[Task]:
        """All tasks."""
        return list(generate_tasks("kbimg", self.dictionaries()))

    def dictionaries(self) -> Iterator[dict[str, Any]]:
        """The tasks as dictionaries."""
        yield from images.image_tasks(self.command)
        yield from commands.tasks(self.command)
        yield from images.stage_tasks(self.command)


class Doit(DoitMain):
    """doit with the commands that make sense here. Stamps record what was made, so the commands
    about doit's database are left out."""

    BIN_NAME = "kbimg doit"
    DOIT_CMDS = (Help, Run, ListTasks, Info, Clean)


def command_names() -> list[str]:
    """The names of doit's commands."""
    return [command.get_name() for command in Doit.DOIT_CMDS]


def task_names(words: Sequence[str], started_in: Path) -> list[str]:
    """The tasks that users can name, for the configuration and architecture in the arguments."""
    names = [task["basename"] for task in Tasks(words, started_in).dictionaries()]
    return [name for name in names if not name.startswith("_")]


def run(words: Sequence[str], started_in: Path | None = None) -> int:
    """Run doit with these arguments. Returns its exit status; 0 is success. doit writes no files of
    its own."""
    tie_workers()
    tell_of_interrupts()
    outlive_readers()
    loader = Tasks(words, started_in or Path.cwd())
    return int(Doit(loader, config_filenames=()).run(list(words)) or 0)
