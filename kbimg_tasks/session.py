"""One run of doit: what the user asked, the plan for it, and what stands in its way."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Sequence, Tuple
from urllib.parse import unquote, urlsplit

from attrs import field, frozen
from doit.reporter import ConsoleReporter

from kbimg_tasks import (
    graph,
    handover,
    indexes,
    preflight,
    room,
    stamps,
)
from kbimg_tasks.architectures import Architecture
from kbimg_tasks.cleaning import Cleaning
from kbimg_tasks.config.errors import ConfigError
from kbimg_tasks.config.load import load
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.repo_file import Repository, repositories
from kbimg_tasks.layout import CACHE, DATA, Layout
from kbimg_tasks.plan import Plan, admin_repository, plan
from kbimg_tasks.progress import Display, reporter
from kbimg_tasks.root_tree import SAVING, Given
from kbimg_tasks.stage import Stage
from kbimg_tasks.stages import keys
from kbimg_tasks.variables import DEFAULT_IMAGE, IMAGES, Variables

ADMIN, PXE = "admin_container", "pxe_img"
OWN_PREFIXES = {ADMIN: "admin_", PXE: "pxe_"}
WORKERS_AT_MOST = 4
# Room for all that is not as large as the root tree: logs, ESP, initramfs, package lists.
SMALL_THINGS_MIB = 256
DEMO_REPOSITORY = CACHE / "demo-rpms"


@frozen
class Session:
    """What dodo.py shows to doit."""

    asked: Variables
    plan: Plan
    refusals: Tuple[str, ...]
    warnings: Tuple[str, ...]
    repositories: Mapping[str, Tuple[Repository, ...]]
    cleaning: Cleaning
    source: handover.Source
    config: Config
    display: Display = field(factory=Display)

    @classmethod
    def from_doit(cls) -> Session:
        """The session of this command line; nothing is built or written here.

        A configuration that is missing or wrong is no error yet: `doit list` and `doit clean` work
        without one. It is what `ready` then refuses with.
        """
        asked = Variables.from_doit()
        images = _images(sys.argv[1:])
        refusals = asked.problems + handover.problems(asked.push, images)
        # `doit clean` works without a configuration, but not with words it does not understand.
        cleaning = Cleaning(asked.layout, asked.is_forced, refusals)
        warnings: Tuple[str, ...] = ()
        try:
            config = load(asked.config, asked.started_in, images or (DEFAULT_IMAGE,),
                          asked.architecture)  # fmt: skip
            if PXE in images and config.is_legacy:
                warnings += (_passed_over(config),)
                config = config.for_uefi()
            repos = _repositories(config.from_repo.repo_path if config.from_repo else None)
            builder = ""
            if ADMIN in images:
                builder = handover.builder(config, asked.engine, asked.architecture)
                refusals += handover.builder_problems(config, builder, asked.engine,
                                                      asked.architecture)  # fmt: skip
            admin_repos = _repositories(admin_repository(config))
        except ConfigError as error:
            refusals += (str(error),)
        if refusals:
            config, repos, admin_repos = load(DATA / "minimal.toml", DATA), (), ()
            builder = ""
        source = handover.Source.of(config, asked.engine, asked.layout)
        machine = asked.architecture
        planned = plan(config, Given(
            machine, local_indexes(repos, machine), asked.epoch,
            asked.lock if asked.is_locked else None, asked.is_offline, source.saving or SAVING,
            source.digest, local_indexes(admin_repos, machine), builder))  # fmt: skip
        watched = {"packages": repos, "admin_packages": admin_repos}
        return cls(asked, planned, refusals, warnings, watched, cleaning, source, config)

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return self.asked.layout

    @property
    def reporter(self) -> type[ConsoleReporter]:
        """What doit reports with."""
        return reporter(self.layout, self.display)

    @property
    def workers(self) -> int:
        """How many stages run at once, unless `doit -n` says."""
        return min(os.cpu_count() or 1, WORKERS_AT_MOST)

    @property
    def default_tasks(self) -> list[str]:
        """What a command without names is about: `doit clean` is about the whole directory."""
        return [graph.OUTPUT if "clean" in sys.argv[1:] else DEFAULT_IMAGE]

    def image_tasks(self) -> Iterator[Dict[str, Any]]:
        """The tasks that users name."""
        for image, doc in IMAGES.items():
            then = [task["basename"] for task in self._handovers(image)]
            yield graph.group(image, doc, self.plan.images.get(image, ()), self.cleaning, then)

    def _handovers(self, image: str) -> Iterator[Dict[str, Any]]:
        container = self.plan.containers.get(image)
        if container:
            yield from handover.tasks(image, container, self.layout, self.asked.engine,
                                      self.asked.push, self.display.say)

    def stage_tasks(self) -> Iterator[Dict[str, Any]]:
        """What is about the whole directory, the check, what containers are handed to, and every
        stage."""
        yield graph.output(self.cleaning, self.plan.stages)
        yield graph.cleanup(self.cleaning)
        yield graph.ready(self.problems, self.warn)
        demo = _index(DEMO_REPOSITORY / self.asked.architecture.name)
        yield graph.outside("demo_repo", "packages to try kbimg with, for config/demo", demo,
                            "kbimg_tasks.demo_repo", f"--arch={self.asked.architecture.oci}")
        for image in IMAGES:
            yield from self._handovers(image)
        yield from graph.tasks(self.plan.stages, self.layout, self.display,
                               makers={demo: "demo_repo"},
                               outdated=self._outdated(),
                               cleaning=self.cleaning,
                               checked_first=self.plan.checked_first(self._wanted()),
                               named=sys.argv[1:])

    def warn(self) -> None:
        """Say what is to be known all the same."""
        for warning in self.warnings:
            self.display.say(f"warning: {warning}")

    @property
    def kept(self) -> Tuple[Stage, ...]:
        """The stages whose artifacts cannot be had again."""
        return tuple(stage for stage in self.plan.stages if stage.is_kept)

    def _outdated(self) -> Dict[str, Callable[[], bool]]:
        """What the world beside the inputs' content can make wrong: packages and the time."""
        found: Dict[str, Callable[[], bool]] = {
            stage: partial(self._has_newer_packages, stage) for stage in self.repositories}
        found[keys.CHECKED] = partial(keys.have_ended, self.layout.stage(keys.CHECKED))
        return found

    def _has_newer_packages(self, stage: str) -> bool:
        if self.asked.is_offline or (self.asked.is_locked and stage == "packages"):
            return False
        listing = self.layout.stage(stage) / "indexes"
        return bool(indexes.changed(listing, self.repositories[stage], self.display.say))

    def problems(self) -> Tuple[str, ...]:
        """What keeps the wanted images from being built; the configuration's mistakes first."""
        if self.refusals:
            return self.refusals
        unmade = [stage for stage in self.plan.standing_under(self._wanted())
                  if not stamps.is_made(self.layout, stage)]  # fmt: skip
        return (*self.source.problems(unmade),
                *preflight.problems(unmade, self.layout, self._needed_mib(unmade)))

    def _wanted(self) -> Tuple[str, ...]:
        """The images and stages that the command names, or that the task it names is about."""
        words = sys.argv[1:]
        known = {*self.plan.images, *(stage.name for stage in self.plan.stages)}
        return tuple(word for word in words if word in known) or _images(words) or (DEFAULT_IMAGE,)

    def _needed_mib(self, unmade: list[Stage]) -> int:
        copies = sum(artifact.holds_tree for stage in unmade for artifact in stage.artifacts)
        return copies * room.tree_mib(self.layout) + SMALL_THINGS_MIB if unmade else 0


def _images(words: Sequence[str]) -> Tuple[str, ...]:
    """The images that a command is about: by their names, by image=, by the tasks that load and
    push them, or by the names that all stages and tasks of theirs alone begin with."""
    return tuple(image for image in IMAGES if any(
        word in (image, f"image={image}") or word.endswith(f"_{image}")
        or (word.startswith(OWN_PREFIXES.get(image, ())) and "=" not in word)
        for word in words))  # fmt: skip


def _repositories(path: Optional[Path]) -> Tuple[Repository, ...]:
    return repositories(path) if path and path.is_file() else ()


def _passed_over(config: Config) -> str:
    option = "from_repo.legacy_bios" if config.from_repo else "from_dockerimg.legacy_bios"
    return (f"{config.where(option)}: {option}: pxe_img passes over it: what it installs, and its "
            "kubeos.tar, is for UEFI")


def local_indexes(repos: Iterable[Repository], architecture: Architecture) -> Tuple[Path, ...]:
    """The repomd.xml of each repository on this machine: they tell when its packages changed."""
    urls = (url for repo in repos for url in repo.addresses(architecture))
    return tuple(_index(Path(unquote(urlsplit(url).path)))
                 for url in urls if url.startswith("file:"))  # fmt: skip


def _index(repository: Path) -> Path:
    return repository / "repodata/repomd.xml"
