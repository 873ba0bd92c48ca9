"""One command of doit: its tasks, and how doit is to run them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import doit
from attrs import field, frozen

from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.diagnostics.problem import Problem
from kbimg_tasks.plan.images import Plan
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE, KINDS
from kbimg_tasks.progress import Display
from kbimg_tasks.session.catalogue import catalogue
from kbimg_tasks.session.obstacles import obstacles
from kbimg_tasks.session.outdated import outdated
from kbimg_tasks.session.repositories import index
from kbimg_tasks.session.request import Variables
from kbimg_tasks.session.session import Planned, Refused, Session, started
from kbimg_tasks.steps.layout import CACHE, Layout
from kbimg_tasks.tasks import clean, containers
from kbimg_tasks.tasks import stages as graph
from kbimg_tasks.tasks.making import Maker
from kbimg_tasks.tasks.reporter import reporter
from kbimg_tasks.tools.user_error import UserError

WORKERS_AT_MOST = 4
DEMO_REPOSITORY = CACHE / "demo-rpms"


@frozen
class Command:
    """What doit is shown for one command, which consists of `words`."""

    words: tuple[str, ...]
    session: Session
    display: Display = field(factory=Display)

    @classmethod
    def from_doit(cls) -> Command:
        """That of doit's own command line."""
        return cls.started(sys.argv[1:], Path(doit.get_initial_workdir() or os.getcwd()))

    @classmethod
    def started(cls, words: Sequence[str], started_in: Path) -> Command:
        """That of the command line `words`, typed in a directory."""
        return cls(tuple(words), started(words, started_in))

    @property
    def asked(self) -> Variables:
        """What was asked for."""
        return self.session.asked

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return self.session.layout

    @property
    def planned(self) -> Planned:
        """The session of a command that can be planned. Raises UserError for any other."""
        if isinstance(self.session, Refused):
            raise UserError("\n".join(map(str, self.session.problems)))
        return self.session

    @property
    def plan(self) -> Plan:
        """The plan; of a command that cannot be planned, the stages to list, clean and refuse."""
        if isinstance(self.session, Refused):
            return catalogue(self.asked.architecture)
        return self.session.plan

    @property
    def cleaning(self) -> Cleaning:
        """How the output directory is cleaned."""
        # `doit clean` needs no valid configuration, but a valid command line.
        mistakes = self.session.mistakes if isinstance(self.session, Refused) else ()
        return Cleaning(self.layout, self.asked.is_forced, mistakes)

    @property
    def doit_config(self) -> dict[str, Any]:
        """How doit is to run this."""
        # A command without names is about the usual image, `doit clean` about the whole directory.
        default = clean.OUTPUT if "clean" in self.words else DEFAULT_IMAGE
        return {
            "default_tasks": [default],
            "reporter": reporter(self.layout, self.display),
            # Threads: a program's parent-death signal follows the thread that started it, and
            # threads die with the one process that a user can kill.
            "num_process": min(os.cpu_count() or 1, WORKERS_AT_MOST),
            "par_type": "thread",
            # The stages' own stamps record what was made; they survive a killed build.
            "backend": "sqlite3",
            "dep_file": ":memory:",
            "sort": "definition",
        }

    def image_tasks(self) -> Iterator[dict[str, Any]]:
        """The tasks of the images."""
        for image, kind in KINDS.items():
            then = [task["basename"] for task in self._container_tasks(image)]
            made = self.plan.images.get(image, ())
            yield graph.group(image, kind.summary, made, self.cleaning, then)

    def stage_tasks(self) -> Iterator[dict[str, Any]]:
        """The tasks of the output directory, of what lies outside it, and of every stage."""
        yield clean.output(self.cleaning, self.plan.stages)
        yield clean.cleanup(self.cleaning, self.display.say)
        repository = DEMO_REPOSITORY / self.asked.architecture.name
        demo = index(repository)
        yield graph.outside(
            "demo_repo",
            "make packages to try kbimg with, for config/demo",
            demo,
            partial(_is_current, repository),
            self.display.say,
            ("kbimg_tasks.demo_repo", f"--arch={self.asked.architecture.oci}"),
        )
        yield graph.ready(self.problems, self.warn)
        for image in KINDS:
            yield from self._container_tasks(image)
        yield from self._stage_tasks({demo: "demo_repo"})

    def problems(self) -> tuple[Problem, ...]:
        """What keeps the wanted images from being built."""
        if isinstance(self.session, Refused):
            return self.session.problems
        return obstacles(self.session, self.session.wanted(self.words))

    def warn(self) -> None:
        """Print the warnings."""
        for warning in self.planned.warnings:
            self.display.say(f"warning: {warning}")

    def _stage_tasks(self, makers: Mapping[Path, str]) -> Iterator[dict[str, Any]]:
        """`makers` names the tasks that make files which stages read from elsewhere."""
        stages = self.plan.stages
        after = {
            stage.name: [makers[source.path] for source in stage.sources() if source.path in makers]
            for stage in stages
        }
        # What cannot be made again is deleted only by name.
        cleaned = {
            stage.name: self.cleaning
            for stage in stages
            if stage.name in self.words or not stage.protected
        }
        maker = Maker(self.layout, self.display)
        if isinstance(self.session, Refused):
            yield from graph.tasks(stages, maker, cleaned, after, {})
            return
        maker.located = self.session.config.problem
        for name, checks in self.plan.order_only_of(self.session.wanted(self.words)).items():
            after[name] += checks
        newer = outdated(self.session, self.display.say)
        yield from graph.tasks(stages, maker, cleaned, after, newer)

    def _container_tasks(self, image: str) -> Iterator[dict[str, Any]]:
        container = self.plan.containers.get(image)
        if container:
            yield from containers.tasks(
                image, container, self.layout, self.asked.engine, self.asked.push, self.display.say
            )


def _is_current(demonstration: Path) -> bool:
    # Late: few configurations build from the demonstration's packages.
    from kbimg_tasks.demo_repo.repository import is_current

    return is_current(demonstration)
