"""One command: its arguments, its plan, and the settings of doit."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import doit
from attrs import field, frozen

from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.plan.images import Plan
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE
from kbimg_tasks.progress import Display
from kbimg_tasks.session.catalogue import catalogue
from kbimg_tasks.session.request import Variables
from kbimg_tasks.session.session import Planned, Refused, Session, started
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.tasks import clean
from kbimg_tasks.tasks.reporter import reporter
from kbimg_tasks.tools.user_error import UserError

WORKERS_AT_MOST = 4


@frozen
class Command:
    """One command with the arguments `words`, as doit gets it."""

    words: tuple[str, ...]
    session: Session
    display: Display = field(factory=Display)

    @classmethod
    def started(cls, words: Sequence[str], started_in: Path) -> Command:
        """The command with these arguments, started in a directory."""
        return cls(tuple(words), started(words, started_in))

    @property
    def asked(self) -> Variables:
        """The arguments NAME=VALUE."""
        return self.session.asked

    @property
    def layout(self) -> Layout:
        """The paths of the output directory and the cache."""
        return self.session.layout

    @property
    def planned(self) -> Planned:
        """The session of a valid command. Raises UserError if the command was refused."""
        if isinstance(self.session, Refused):
            raise UserError("\n".join(map(str, self.session.problems)))
        return self.session

    @property
    def plan(self) -> Plan:
        """The plan. A refused command has all stages of the catalogue, which can be listed and
        cleaned."""
        if isinstance(self.session, Refused):
            return catalogue(self.asked.architecture)
        return self.session.plan

    @property
    def cleaning(self) -> Cleaning:
        """Cleans the output directory."""
        # `doit clean` needs no valid configuration, but a valid command line.
        mistakes = self.session.mistakes if isinstance(self.session, Refused) else ()
        return Cleaning(self.layout, self.asked.is_forced, mistakes)

    @property
    def doit_config(self) -> dict[str, Any]:
        """The settings of doit."""
        # Without names, doit builds the default image, and `doit clean` cleans the whole directory.
        default = clean.OUTPUT if "clean" in self.words else DEFAULT_IMAGE
        return {
            "default_tasks": [default],
            "reporter": reporter(self.layout, self.display),
            # Threads: a program's parent-death signal follows the thread that started it, and
            # threads die with the one process that a user can kill.
            "num_process": min(os.cpu_count() or 1, WORKERS_AT_MOST),
            "par_type": "thread",
            # The stamps of the stages record what was made; they survive a killed build.
            "backend": "sqlite3",
            "dep_file": ":memory:",
            "sort": "definition",
        }


def from_doit() -> Command:
    """The command of doit's own command line."""
    return Command.started(sys.argv[1:], Path(doit.get_initial_workdir() or os.getcwd()))
