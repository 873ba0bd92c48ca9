"""One command: its plan, or the problems that prevent planning it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Union

from attrs import frozen

from kbimg_tasks.config.kind import Kind
from kbimg_tasks.config.load import load
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.repository import Repository
from kbimg_tasks.diagnostics.problem import WARNING, ConfigError, Problem
from kbimg_tasks.plan.images import Plan, plan
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE, KINDS, admin_container
from kbimg_tasks.plan.root import SAVING, Given
from kbimg_tasks.session import engine, repositories
from kbimg_tasks.session.catalogue import images_of
from kbimg_tasks.session.request import Variables
from kbimg_tasks.steps.layout import Layout


@frozen
class Planned:
    """A valid command with its plan.

    `repositories` has the repositories of each stage that resolves packages; `source` is the image
    of the container engine that the plan starts from.
    """

    asked: Variables
    images: tuple[str, ...]
    config: Config
    plan: Plan
    repositories: Mapping[str, tuple[Repository, ...]]
    source: engine.EngineImage
    warnings: tuple[Problem, ...]

    @property
    def layout(self) -> Layout:
        """The paths of the output directory and the cache."""
        return self.asked.layout

    def wanted(self, words: Sequence[str]) -> tuple[str, ...]:
        """The images and stages that the arguments name, or those of the default task."""
        known = {*self.plan.images, *(stage.name for stage in self.plan.stages)}
        named = tuple(word for word in words if word in known)
        return named or self.images or (DEFAULT_IMAGE,)


@frozen
class Refused:
    """A command that cannot be planned. `mistakes` are the errors of the command line, one line
    each; `problems` are all errors, including those."""

    asked: Variables
    mistakes: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def layout(self) -> Layout:
        """The paths of the output directory and the cache."""
        return self.asked.layout


Session = Union[Planned, Refused]


def started(words: Sequence[str], started_in: Path) -> Session:
    """The session of a command line, started in a directory."""
    return session(Variables.of(words, started_in), images_of(words))


def session(asked: Variables, images: tuple[str, ...]) -> Session:
    """The session of building these images, or the default image if none is named. Nothing is built
    or written here."""
    kinds = [KINDS[image] for image in images]
    mistakes = asked.problems + engine.problems(asked.push, kinds)
    problems = tuple(map(Problem.of_no_file, mistakes))
    try:
        config = load(
            asked.config, asked.started_in, kinds or [KINDS[DEFAULT_IMAGE]], asked.architecture
        )
        builder = ""
        if any(kind.may_need_engine for kind in kinds):
            builder = engine.builder(config, asked.engine, asked.architecture)
            problems += engine.builder_problems(config, builder, asked.engine, asked.architecture)
        if not problems:
            return _planned(asked, images, config, builder)
    except ConfigError as error:
        problems += error.problems
    return Refused(asked, mistakes, problems)


def _planned(asked: Variables, images: tuple[str, ...], config: Config, builder: str) -> Planned:
    warnings: tuple[Problem, ...] = ()
    uefi_only = [KINDS[image] for image in images if KINDS[image].is_uefi_only]
    if uefi_only and config.is_legacy:
        warnings = (_ignored(config, uefi_only[0]),)
        config = config.for_uefi()
    repos = config.repositories_of(config.from_repo.repo_path if config.from_repo else None)
    admin_repos = config.repositories_of(admin_container.repository(config))
    source = engine.EngineImage.of(config, asked.engine, asked.layout)
    given = Given(
        asked.architecture,
        repositories.local_indexes(repos, asked.architecture),
        asked.epoch,
        asked.lock if asked.is_locked else None,
        asked.is_offline,
        source.saving or SAVING,
        source.digest,
        repositories.local_indexes(admin_repos, asked.architecture),
        builder,
    )
    return Planned(
        asked,
        images,
        config,
        plan(config, given),
        {"packages": repos, "admin_packages": admin_repos},
        source,
        warnings,
    )


def _ignored(config: Config, kind: Kind) -> Problem:
    source = "from_repo" if config.from_repo else "from_dockerimg"
    return config.problem(
        (source, "legacy_bios"),
        f"ignored by {kind.name}: its kubeos.tar and the installed system are for UEFI",
        WARNING,
    )
