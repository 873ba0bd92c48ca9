"""One run of doit: what the user asked, the plan for it, and what stands in its way."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    Iterable,
    Iterator,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)
from urllib.parse import unquote, urlsplit

import doit
from attrs import field, frozen
from doit.reporter import ConsoleReporter

from kbimg_tasks import (
    complaints,
    graph,
    handover,
    indexes,
    preflight,
    room,
    stamps,
)
from kbimg_tasks.architectures import Architecture
from kbimg_tasks.cleaning import Cleaning
from kbimg_tasks.config.errors import WARNING, ConfigError, Problem
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
    """What doit is shown for one command, which consists of `words`."""

    words: Tuple[str, ...]
    asked: Variables
    plan: Plan
    images: Tuple[str, ...]
    refusals: Tuple[Problem, ...]
    warnings: Tuple[Problem, ...]
    repositories: Mapping[str, Tuple[Repository, ...]]
    cleaning: Cleaning
    source: handover.Source
    config: Config
    display: Display = field(factory=Display)

    @classmethod
    def from_doit(cls) -> Session:
        """The session of doit's own command line."""
        return cls.started(sys.argv[1:], Path(doit.get_initial_workdir() or os.getcwd()))

    @classmethod
    def started(cls, words: Sequence[str], started_in: Path) -> Session:
        """The session of a command's words, typed in a directory."""
        return cls.of(Variables.of(words, started_in), _images(words), words)

    @classmethod
    def of(cls, asked: Variables, images: Tuple[str, ...], words: Sequence[str] = ()) -> Session:
        """The session of building these images, or the usual one where none is named; nothing is
        built or written here.

        A configuration that is missing or wrong is no error yet: `doit list` and `doit clean` work
        without one. It is what `ready` then refuses with.
        """
        mistakes = asked.problems + handover.problems(asked.push, images)
        refusals = tuple(map(Problem.of_no_file, mistakes))
        # `doit clean` works without a configuration, but not with words it does not understand.
        cleaning = Cleaning(asked.layout, asked.is_forced, mistakes)
        warnings: Tuple[Problem, ...] = ()
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
            refusals += error.problems
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
        return cls(tuple(words), asked, planned, images, refusals, warnings, watched, cleaning,
                   source, config)  # fmt: skip

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
        return [graph.OUTPUT if "clean" in self.words else DEFAULT_IMAGE]

    @property
    def doit_config(self) -> Dict[str, Any]:
        """How doit is to run this."""
        return {
            "default_tasks": self.default_tasks,
            "reporter": self.reporter,
            # Threads: a program's parent-death signal follows the thread that started it, and
            # threads die with the one process that a user can kill.
            "num_process": self.workers,
            "par_type": "thread",
            # What is made is told by the stages' own stamps, which survive a killed build.
            "backend": "sqlite3",
            "dep_file": ":memory:",
            "sort": "definition",
        }

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
        yield graph.cleanup(self.cleaning, self.display.say)
        repository = DEMO_REPOSITORY / self.asked.architecture.name
        demo = _index(repository)
        yield graph.outside("demo_repo", "make packages to try kbimg with, for config/demo", demo,
                            partial(_is_current, repository), self.display.say,
                            "kbimg_tasks.demo_repo", f"--arch={self.asked.architecture.oci}")
        yield graph.ready(self.problems, self.warn)
        for image in IMAGES:
            yield from self._handovers(image)
        yield from graph.tasks(self.plan.stages, self.layout, self.display,
                               makers={demo: "demo_repo"},
                               outdated=self._outdated(),
                               cleaning=self.cleaning,
                               checked_first=self.plan.checked_first(self._wanted()),
                               named=self.words,
                               blamed=partial(complaints.blamed, self.config))

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

    def problems(self) -> Tuple[Problem, ...]:
        """What keeps the wanted images from being built; the configuration's mistakes first."""
        if self.refusals:
            return self.refusals
        unmade = self.unmade(self._wanted())
        host = preflight.problems(unmade, self.layout, needed_mib(unmade, self.layout))
        return (*self.source.problems(unmade), *map(Problem.of_no_file, host))

    def unmade(self, names: Iterable[str]) -> Tuple[Stage, ...]:
        """The stages to be made for these images or stages."""
        return tuple(stage for stage in self.plan.standing_under(names)
                     if not stamps.is_made(self.layout, stage))  # fmt: skip

    def _wanted(self) -> Tuple[str, ...]:
        """The images and stages that the command names, or that the task it names is about."""
        words = self.words
        known = {*self.plan.images, *(stage.name for stage in self.plan.stages)}
        return tuple(word for word in words if word in known) or self.images or (DEFAULT_IMAGE,)


def needed_mib(unmade: Collection[Stage], layout: Layout) -> int:
    """The room that these stages take in the output directory, in MiB."""
    copies = sum(artifact.holds_tree for stage in unmade for artifact in stage.artifacts)
    return copies * room.tree_mib(layout) + SMALL_THINGS_MIB if unmade else 0


def _images(words: Sequence[str]) -> Tuple[str, ...]:
    """The images that a command is about: by their names, by image=, by the tasks that load and
    push them, or by the names that all stages and tasks of theirs alone begin with."""
    return tuple(image for image in IMAGES if any(
        word in (image, f"image={image}") or word.endswith(f"_{image}")
        or (word.startswith(OWN_PREFIXES.get(image, ())) and "=" not in word)
        for word in words))  # fmt: skip


def _repositories(path: Optional[Path]) -> Tuple[Repository, ...]:
    return repositories(path) if path and path.is_file() else ()


def _passed_over(config: Config) -> Problem:
    source = "from_repo" if config.from_repo else "from_dockerimg"
    return config.problem((source, "legacy_bios"), "pxe_img passes over it: what it installs, and "
                          "its kubeos.tar, is for UEFI", WARNING)


def local_indexes(repos: Iterable[Repository], architecture: Architecture) -> Tuple[Path, ...]:
    """The repomd.xml of each repository on this machine: they tell when its packages changed."""
    urls = (url for repo in repos for url in repo.addresses(architecture))
    return tuple(_index(Path(unquote(urlsplit(url).path)))
                 for url in urls if url.startswith("file:"))  # fmt: skip


def _is_current(demonstration: Path) -> bool:
    # Late: few configurations build from the demonstration's packages.
    from kbimg_tasks.demo_repo.repository import is_current

    return is_current(demonstration)


def _index(repository: Path) -> Path:
    return repository / "repodata/repomd.xml"
