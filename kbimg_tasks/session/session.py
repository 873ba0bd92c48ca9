"""One run of doit: what the user asked, the plan for it, and what stands in its way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Callable
from urllib.parse import unquote, urlsplit

from attrs import frozen

from kbimg_tasks.build import preflight, repomd, space, stamps
from kbimg_tasks.config.load import load
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.repo_file import Repository, repositories
from kbimg_tasks.diagnostics.problem import WARNING, ConfigError, Problem
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.plan.images import Plan, admin_repository, plan
from kbimg_tasks.plan.root import SAVING, Given
from kbimg_tasks.session import engine
from kbimg_tasks.session.request import DEFAULT_IMAGE, IMAGES, Variables
from kbimg_tasks.stages import keys
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage

ADMIN, PXE = "admin_container", "pxe_img"
OWN_PREFIXES = {ADMIN: "admin_", PXE: "pxe_"}
# Room for all that is not as large as the root tree: logs, ESP, initramfs, package lists.
SMALL_THINGS_MIB = 256


@frozen
class Session:
    """What doit is shown for one command, which consists of `words`."""

    words: tuple[str, ...]
    asked: Variables
    plan: Plan
    images: tuple[str, ...]
    refusals: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    repositories: Mapping[str, tuple[Repository, ...]]
    mistakes: tuple[str, ...]
    source: engine.Source
    config: Config

    @classmethod
    def started(cls, words: Sequence[str], started_in: Path) -> Session:
        """The session of a command's words, typed in a directory."""
        return cls.of(Variables.of(words, started_in), _images(words), words)

    @classmethod
    def of(cls, asked: Variables, images: tuple[str, ...], words: Sequence[str] = ()) -> Session:
        """The session of building these images, or the usual one where none is named; nothing is
        built or written here.

        A configuration that is missing or wrong is no error yet: `doit list` and `doit clean` work
        without one. It is what `ready` then refuses with.
        """
        mistakes = asked.problems + engine.problems(asked.push, images)
        refusals = tuple(map(Problem.of_no_file, mistakes))
        warnings: tuple[Problem, ...] = ()
        try:
            config = load(
                asked.config, asked.started_in, images or (DEFAULT_IMAGE,), asked.architecture
            )
            if PXE in images and config.is_legacy:
                warnings += (_passed_over(config),)
                config = config.for_uefi()
            repos = _repositories(config.from_repo.repo_path if config.from_repo else None)
            builder = ""
            if ADMIN in images:
                builder = engine.builder(config, asked.engine, asked.architecture)
                refusals += engine.builder_problems(
                    config, builder, asked.engine, asked.architecture
                )
            admin_repos = _repositories(admin_repository(config))
        except ConfigError as error:
            refusals += error.problems
        if refusals:
            config, repos, admin_repos = load(DATA / "minimal.toml", DATA), (), ()
            builder = ""
        source = engine.Source.of(config, asked.engine, asked.layout)
        machine = asked.architecture
        planned = plan(
            config,
            Given(
                machine,
                local_indexes(repos, machine),
                asked.epoch,
                asked.lock if asked.is_locked else None,
                asked.is_offline,
                source.saving or SAVING,
                source.digest,
                local_indexes(admin_repos, machine),
                builder,
            ),
        )
        watched = {"packages": repos, "admin_packages": admin_repos}
        return cls(
            tuple(words),
            asked,
            planned,
            images,
            refusals,
            warnings,
            watched,
            mistakes,
            source,
            config,
        )

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return self.asked.layout

    @property
    def kept(self) -> tuple[Stage, ...]:
        """The stages whose artifacts cannot be had again."""
        return tuple(stage for stage in self.plan.stages if stage.is_kept)

    def outdated(self, warn: Callable[[str], None]) -> dict[str, Callable[[], bool]]:
        """What the world beside the inputs' content can make wrong: packages and the time."""
        found: dict[str, Callable[[], bool]] = {
            stage: partial(self._has_newer_packages, stage, warn) for stage in self.repositories
        }
        found[keys.CHECKED] = partial(keys.have_ended, self.layout.stage(keys.CHECKED))
        return found

    def _has_newer_packages(self, stage: str, warn: Callable[[str], None]) -> bool:
        if self.asked.is_offline or (self.asked.is_locked and stage == "packages"):
            return False
        listing = self.layout.stage(stage) / "indexes"
        return bool(repomd.changed(listing, self.repositories[stage], warn))

    def problems(self) -> tuple[Problem, ...]:
        """What keeps the wanted images from being built; the configuration's mistakes first."""
        if self.refusals:
            return self.refusals
        unmade = self.unmade(self.wanted())
        host = preflight.problems(unmade, self.layout, needed_mib(unmade, self.layout))
        return (*self.source.problems(unmade), *map(Problem.of_no_file, host))

    def unmade(self, names: Iterable[str]) -> tuple[Stage, ...]:
        """The stages to be made for these images or stages."""
        return tuple(
            stage
            for stage in self.plan.standing_under(names)
            if not stamps.is_made(self.layout, stage)
        )

    def wanted(self) -> tuple[str, ...]:
        """The images and stages that the command names, or that the task it names is about."""
        words = self.words
        known = {*self.plan.images, *(stage.name for stage in self.plan.stages)}
        return tuple(word for word in words if word in known) or self.images or (DEFAULT_IMAGE,)


def needed_mib(unmade: Collection[Stage], layout: Layout) -> int:
    """The room that these stages take in the output directory, in MiB."""
    copies = sum(artifact.holds_tree for stage in unmade for artifact in stage.artifacts)
    return copies * space.tree_mib(layout) + SMALL_THINGS_MIB if unmade else 0


def _images(words: Sequence[str]) -> tuple[str, ...]:
    """The images that a command is about: by their names, by image=, by the tasks that load and
    push them, or by the names that all stages and tasks of theirs alone begin with."""
    return tuple(
        image
        for image in IMAGES
        if any(
            word in (image, f"image={image}")
            or word.endswith(f"_{image}")
            or (word.startswith(OWN_PREFIXES.get(image, ())) and "=" not in word)
            for word in words
        )
    )


def _repositories(path: Path | None) -> tuple[Repository, ...]:
    return repositories(path) if path and path.is_file() else ()


def _passed_over(config: Config) -> Problem:
    source = "from_repo" if config.from_repo else "from_dockerimg"
    return config.problem(
        (source, "legacy_bios"),
        "pxe_img passes over it: what it installs, and its kubeos.tar, is for UEFI",
        WARNING,
    )


def local_indexes(repos: Iterable[Repository], architecture: Architecture) -> tuple[Path, ...]:
    """The repomd.xml of each repository on this machine: they tell when its packages changed."""
    urls = (url for repo in repos for url in repo.addresses(architecture))
    return tuple(
        index(Path(unquote(urlsplit(url).path))) for url in urls if url.startswith("file:")
    )


def index(repository: Path) -> Path:
    return repository / "repodata/repomd.xml"
