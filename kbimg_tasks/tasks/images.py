"""One command of doit: its tasks, and how doit is to run them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import doit
from attrs import field, frozen

from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.progress import Display
from kbimg_tasks.session import blame
from kbimg_tasks.session.request import DEFAULT_IMAGE, IMAGES
from kbimg_tasks.session.session import Session, index
from kbimg_tasks.steps.layout import CACHE, Layout
from kbimg_tasks.tasks import clean, containers
from kbimg_tasks.tasks import stages as graph
from kbimg_tasks.tasks.reporter import reporter

WORKERS_AT_MOST = 4
DEMO_REPOSITORY = CACHE / "demo-rpms"


@frozen
class Command:
    """What doit is shown for one command."""

    session: Session
    display: Display = field(factory=Display)

    @classmethod
    def from_doit(cls) -> Command:
        """That of doit's own command line."""
        return cls.started(sys.argv[1:], Path(doit.get_initial_workdir() or os.getcwd()))

    @classmethod
    def started(cls, words: Sequence[str], started_in: Path) -> Command:
        """That of the command line `words`, typed in a directory."""
        return cls(Session.started(words, started_in))

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return self.session.layout

    @property
    def cleaning(self) -> Cleaning:
        """How the output directory is cleaned."""
        # `doit clean` works without a configuration, but not with words it does not understand.
        return Cleaning(self.layout, self.session.asked.is_forced, self.session.mistakes)

    @property
    def doit_config(self) -> dict[str, Any]:
        """How doit is to run this."""
        # A command without names is about the usual image, `doit clean` about the whole directory.
        default = clean.OUTPUT if "clean" in self.session.words else DEFAULT_IMAGE
        return {
            "default_tasks": [default],
            "reporter": reporter(self.layout, self.display),
            # Threads: a program's parent-death signal follows the thread that started it, and
            # threads die with the one process that a user can kill.
            "num_process": min(os.cpu_count() or 1, WORKERS_AT_MOST),
            "par_type": "thread",
            # What is made is told by the stages' own stamps, which survive a killed build.
            "backend": "sqlite3",
            "dep_file": ":memory:",
            "sort": "definition",
        }

    def image_tasks(self) -> Iterator[dict[str, Any]]:
        """The tasks that users name."""
        for image, doc in IMAGES.items():
            then = [task["basename"] for task in self._container_tasks(image)]
            made = self.session.plan.images.get(image, ())
            yield graph.group(image, doc, made, self.cleaning, then)

    def stage_tasks(self) -> Iterator[dict[str, Any]]:
        """What is about the whole directory, the check, what containers are handed to, and every
        stage."""
        session, plan = self.session, self.session.plan
        yield clean.output(self.cleaning, plan.stages)
        yield clean.cleanup(self.cleaning, self.display.say)
        repository = DEMO_REPOSITORY / session.asked.architecture.name
        demo = index(repository)
        yield graph.outside(
            "demo_repo",
            "make packages to try kbimg with, for config/demo",
            demo,
            partial(_is_current, repository),
            self.display.say,
            "kbimg_tasks.demo_repo",
            f"--arch={session.asked.architecture.oci}",
        )
        yield graph.ready(session.problems, self.warn)
        for image in IMAGES:
            yield from self._container_tasks(image)
        yield from graph.tasks(
            plan.stages,
            self.layout,
            self.display,
            makers={demo: "demo_repo"},
            outdated=session.outdated(self.display.say),
            cleaning=self.cleaning,
            checked_first=plan.checked_first(session.wanted()),
            named=session.words,
            blamed=partial(blame.blamed, session.config),
        )

    def warn(self) -> None:
        """Say what is to be known all the same."""
        for warning in self.session.warnings:
            self.display.say(f"warning: {warning}")

    def _container_tasks(self, image: str) -> Iterator[dict[str, Any]]:
        container = self.session.plan.containers.get(image)
        if container:
            asked = self.session.asked
            yield from containers.tasks(
                image, container, self.layout, asked.engine, asked.push, self.display.say
            )


def _is_current(demonstration: Path) -> bool:
    # Late: few configurations build from the demonstration's packages.
    from kbimg_tasks.demo_repo.repository import is_current

    return is_current(demonstration)
