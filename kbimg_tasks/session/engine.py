"""The container engine of this run: the container that it builds, and the image that it saves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from kbimg_tasks.config.document import Document
from kbimg_tasks.config.kind import Kind
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.tables import ADMIN_BASE
from kbimg_tasks.containers import engines
from kbimg_tasks.diagnostics.problem import Problem
from kbimg_tasks.machine.architecture import Architecture, of_this_machine
from kbimg_tasks.plan.kinds import KINDS, admin_container
from kbimg_tasks.stages import from_image
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage


def problems(push: str, kinds: Iterable[Kind]) -> tuple[str, ...]:
    """The problems of push= when images of these kinds are built."""
    containers = [name for name, kind in KINDS.items() if kind.is_container]
    pushed = [kind.name for kind in kinds if kind.is_container]
    if push and len(pushed) != 1:
        return (
            f"push=: expected one of {' and '.join(containers)} to be built and pushed, found "
            f"{' and '.join(pushed) or 'neither'}",
        )
    return ()


def builder(config: Config, asked: str, architecture: Architecture) -> str:
    """The engine that builds the admin container on its base image. It is empty if the container is
    built out of packages, if no engine runs, or if the container is for another architecture."""
    admin = config.admin_container
    if (
        admin is None
        or admin.repo_path
        or asked == engines.NONE
        or architecture != of_this_machine()
    ):
        return ""
    return next(
        (engine.name for engine in engines.usable(asked) if engine.name in engines.BUILDERS), ""
    )


def builder_problems(
    config: Config, engine: str, asked: str, architecture: Architecture
) -> tuple[Problem, ...]:
    """The reasons why `engine`, or no engine, cannot build the admin container."""
    admin = config.admin_container
    if admin is None or engine:
        return ()
    here = of_this_machine()
    why = (
        f"an engine on {here.name} cannot build for {architecture.name}"
        if architecture != here
        else engines.why_none(asked)
    )
    if admin.base_image:
        return (
            config.problem(
                ("admin_container", "base_image"),
                f"building on a base image needs a container engine, but {why}",
            ),
        )
    if admin_container.repository(config) is None:
        return (
            config.problem(
                ("admin_container",),
                "expected repo_path, the repository to build it from, or a "
                f"container engine to build it on {ADMIN_BASE}, but {why}",
            ),
        )
    return ()


@frozen
class EngineImage:
    """The engine's image that the configuration names as its source, if any.

    `document` is the configuration file; `asked` is the argument engine=; `saving` is the command
    that saves the image, and `digest` its digest, or the last known one if the image is gone.
    """

    image: str = ""
    document: Document = Document()
    asked: str = engines.AUTO
    saving: tuple[str, ...] = ()
    digest: str = ""
    is_there: bool = True

    @classmethod
    def of(cls, config: Config, asked: str, layout: Layout) -> EngineImage:
        """Ask the engines, unless the image is in a file. If none runs, or none has the image any
        more, what was built from it stays up to date."""
        source = config.from_dockerimg
        if source is None or source.archive or not source.upgrade_img:
            return cls()
        image, document = source.upgrade_img, config.document
        found = engines.holder(image, asked) if asked != engines.NONE else None
        if found:
            engine, digest = found
            return cls(image, document, asked, engine.saving(image), digest)
        record = layout.stage(from_image.TAR) / from_image.DIGEST
        known = record.read_text(encoding="ascii").strip() if record.is_file() else ""
        return cls(image, document, asked, digest=known, is_there=False)

    def problems(self, unmade: Iterable[Stage]) -> Iterator[Problem]:
        """The error that no engine has the image, if it is needed."""
        if self.is_there or from_image.TAR not in (stage.name for stage in unmade):
            return
        answering = [engine.name for engine in engines.usable(self.asked)]
        verb = "knows" if len(answering) == 1 else "know"
        why = (
            f"{' and '.join(answering)} {verb} no such image"
            if answering
            else engines.why_none(self.asked)
        )
        yield self.document.problem(
            ("from_dockerimg", "upgrade_img"),
            f'expected an image of a container engine, found "{self.image}", but {why}; '
            'load it, or name a file with it: archive = "upgrade_img.tar"',
        )
