"""The tasks of images and stages, for one command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kbimg_tasks.diagnostics.problem import Problem
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.session.obstacles import obstacles
from kbimg_tasks.session.outdated import outdated
from kbimg_tasks.session.repositories import index
from kbimg_tasks.session.session import Refused
from kbimg_tasks.steps.layout import CACHE
from kbimg_tasks.tasks import clean, containers
from kbimg_tasks.tasks import stages as graph
from kbimg_tasks.tasks.command import Command
from kbimg_tasks.tasks.making import Maker

DEMO_REPOSITORY = CACHE / "demo-rpms"


def image_tasks(command: Command) -> Iterator[dict[str, Any]]:
    """The tasks of the images."""
    for image, kind in KINDS.items():
        then = [task["basename"] for task in _container_tasks(command, image)]
        made = command.plan.images.get(image, ())
        yield graph.group(image, kind.summary, made, command.cleaning, then)


def stage_tasks(command: Command) -> Iterator[dict[str, Any]]:
    """The tasks of cleaning, of the demonstration's repository, and of every stage."""
    yield clean.output(command.cleaning, command.plan.stages)
    yield clean.cleanup(command.cleaning, command.display.say)
    repository = DEMO_REPOSITORY / command.asked.architecture.name
    demo = index(repository)
    yield graph.outside(
        "demo_repo",
        "make the package repository of config/demo",
        demo,
        partial(_is_current, repository),
        command.display.say,
        ("kbimg_tasks.demo_repo", f"--arch={command.asked.architecture.oci}"),
    )
    yield graph.ready(partial(problems, command), partial(warn, command))
    for image in KINDS:
        yield from _container_tasks(command, image)
    yield from _stage_tasks(command, {demo: "demo_repo"})


def problems(command: Command) -> tuple[Problem, ...]:
    """The problems that prevent building the selected images."""
    if isinstance(command.session, Refused):
        return command.session.problems
    return obstacles(command.session, command.session.wanted(command.words))


def warn(command: Command) -> None:
    """Print the warnings."""
    for warning in command.planned.warnings:
        command.display.say(f"warning: {warning}")


def _stage_tasks(command: Command, makers: Mapping[Path, str]) -> Iterator[dict[str, Any]]:
    """`makers` has the tasks that make files outside the output directory which stages read."""
    stages = command.plan.stages
    after = {
        stage.name: [makers[source.path] for source in stage.sources() if source.path in makers]
        for stage in stages
    }
    # A protected stage is deleted only when its name is given.
    cleaned = {
        stage.name: command.cleaning
        for stage in stages
        if stage.name in command.words or not stage.protected
    }
    maker = Maker(command.layout, command.display)
    if isinstance(command.session, Refused):
        yield from graph.tasks(stages, maker, cleaned, after, {})
        return
    maker.located = command.session.config.problem
    for name, checks in command.plan.order_only_of(command.session.wanted(command.words)).items():
        after[name] += checks
    newer = outdated(command.session, command.display.say)
    yield from graph.tasks(stages, maker, cleaned, after, newer)


def _container_tasks(command: Command, image: str) -> Iterator[dict[str, Any]]:
    container = command.plan.containers.get(image)
    if container:
        yield from containers.tasks(
            image,
            container,
            command.layout,
            command.asked.engine,
            command.asked.push,
            command.display.say,
        )


def _is_current(demonstration: Path) -> bool:
    # Imported late: few configurations use the demonstration's repository.
    from kbimg_tasks.demo_repo.repository import is_current

    return is_current(demonstration)
