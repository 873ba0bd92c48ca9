"""A container image's archive, handed to the engine of this machine and to a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Tuple

from attrs import frozen

from kbimg_tasks import engines, graph, registry
from kbimg_tasks.architectures import Architecture, of_this_machine
from kbimg_tasks.config.document import Document
from kbimg_tasks.config.errors import Problem
from kbimg_tasks.config.model import ADMIN_BASE, Config
from kbimg_tasks.layout import Layout
from kbimg_tasks.plan import Container, admin_repository
from kbimg_tasks.stage import Stage
from kbimg_tasks.stages import from_image
from kbimg_tasks.stages.container import DIGESTS

CONTAINERS = ("upgrade_img", "admin_container")
Say = Callable[[str], None]


def problems(push: str, images: Iterable[str]) -> Tuple[str, ...]:
    """What is wrong with push= where these images are built."""
    pushed = [image for image in images if image in CONTAINERS]
    if push and len(pushed) != 1:
        return (f"push=: expected one of {' and '.join(CONTAINERS)} to be built and pushed, found "
                f"{' and '.join(pushed) or 'neither'}",)
    return ()


def tasks(image: str, container: Container, layout: Layout, engine: str, push: str,
          say: Say) -> Iterator[Dict[str, Any]]:  # fmt: skip
    """The tasks that load an image and, if asked for, push it."""
    archive, *_ = container.stage.artifacts
    ours = Handover(layout.published(archive), layout.published(container.stage[DIGESTS]),
                    container.name, engine, say)
    yield graph.note(f"load_{image}", f"{archive.name} loaded into the container engine, if any",
                     _saying(ours.load), [container.stage.name], ours.is_loaded)
    if push:
        yield graph.note(f"push_{image}", f"{archive.name} pushed as {push}",
                         _saying(lambda: ours.push(push)), [container.stage.name])


def _saying(action: Callable[[], None]) -> Callable[[], None]:
    def act() -> None:
        try:
            action()
        except (engines.EngineFailed, registry.NotPushed) as failure:
            raise graph.Impossible(str(failure)) from failure

    return act


def builder(config: Config, asked: str, architecture: Architecture) -> str:
    """The engine that builds the admin container on its base image; empty when packages are to do:
    when they are named, no engine answers, or it would be for another machine than the engine's."""
    admin = config.admin_container
    if (admin is None or admin.repo_path or asked == engines.NONE
            or architecture != of_this_machine()):  # fmt: skip
        return ""
    return next((engine.name for engine in engines.usable(asked)
                 if engine.name in engines.BUILDERS), "")  # fmt: skip


def builder_problems(config: Config, engine: str, asked: str,
                     architecture: Architecture) -> Tuple[Problem, ...]:  # fmt: skip
    """Why the admin container cannot be made where `engine` is to build it, or none is."""
    admin = config.admin_container
    if admin is None or engine:
        return ()
    here = of_this_machine()
    why = (f"an engine of {here.name} builds none for {architecture.name}"
           if architecture != here else engines.why_none(asked))
    if admin.base_image:
        return (config.problem(
            ("admin_container", "base_image"),
            f"building on a base image needs a container engine, but {why}"),)
    if admin_repository(config) is None:
        return (config.problem(
            ("admin_container",), "expected repo_path, the repository to build it from, or a "
            f"container engine to build it on {ADMIN_BASE}, but {why}"),)
    return ()


@frozen
class Source:
    """The engine's image that the configuration starts from, if it does.

    `document` is the file with its name; `asked` is the word engine=; `saving` is the command that
    gives it out, and `digest` which image it is, or was where it is not there any more.
    """

    image: str = ""
    document: Document = Document()
    asked: str = engines.AUTO
    saving: Tuple[str, ...] = ()
    digest: str = ""
    is_there: bool = True

    @classmethod
    def of(cls, config: Config, asked: str, layout: Layout) -> Source:
        """The engines are asked only where the image is not in a file. Where none answers, or none
        has it any more, what was made of it stands."""
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
        """That no engine has the image, if it is needed."""
        if self.is_there or from_image.TAR not in (stage.name for stage in unmade):
            return
        answering = [engine.name for engine in engines.usable(self.asked)]
        verb = "knows" if len(answering) == 1 else "know"
        why = (f"{' and '.join(answering)} {verb} no such image" if answering
               else engines.why_none(self.asked))
        yield self.document.problem(
            ("from_dockerimg", "upgrade_img"),
            f'expected an image that a container engine has, found "{self.image}", but {why}; '
            'load it, or name a file that holds it: archive = "upgrade_img.tar"')


@frozen
class Handover:
    """An archive of the container image `image`; the file `digests` has those that engines may know
    it by, a line each."""

    archive: Path
    digests: Path
    image: str
    engine: str
    say: Callable[[str], None]

    def is_loaded(self) -> bool:
        """Whether an engine has just this image under its name."""
        return (self.engine != engines.NONE and self.digests.is_file()
                and self._holder() is not None)  # fmt: skip

    def load(self) -> None:
        """Load it; without an engine, say what to do with the file. Raises engines.EngineFailed."""
        engine = next(engines.usable(self.engine), None) if self.engine != engines.NONE else None
        if engine is None:
            if self.engine not in (engines.AUTO, engines.NONE):
                raise engines.EngineFailed(f"engine={self.engine}: "
                                           f"{engines.why_none(self.engine)}")
            self.say(self._by_hand())
            return
        engine.take(self.archive)
        if self._holder() is None:
            raise engines.EngineFailed(
                f"{engine.name} took {self.archive}, but shows another image as {self.image}")
        self.say(f"      {self.image} is in {engine.name}: "
                 f"{' '.join((engine.name, *engine.listing))}")

    def push(self, name: str) -> None:
        """Push it to a registry. Raises registry.NotPushed."""
        registry.push(self.archive, name)
        self.say(f"      pushed as {name}")

    def _holder(self) -> Optional[engines.Engine]:
        # Podman shows digests without their algorithm.
        ours = [digest if ":" in digest else f"sha256:{digest}"
                for digest in self.digests.read_text(encoding="ascii").split()]
        return next((engine for engine in engines.usable(self.engine)
                     if engine.image_id(self.image) in ours), None)  # fmt: skip

    def _by_hand(self) -> str:
        why = engines.why_none(self.engine)
        return (f"      {self.image}: {why}; the image stays in {self.archive}. To load it:\n"
                f"          docker load -i {self.archive}\n"
                f"          ctr -n k8s.io images import {self.archive}\n"
                f"      To push it: the same command with push=REGISTRY/NAME:TAG, or\n"
                f"          skopeo copy oci-archive:{self.archive} docker://REGISTRY/NAME:TAG")
