"""Loads a container image's archive into an engine of this machine, and pushes it to a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.containers import engines, registry
from kbimg_tasks.tools.user_error import UserError

Say = Callable[[str], None]


@frozen
class ContainerArchive:
    """The archive of the container image `image`; the file `digests` has the digests under which
    engines can show it, a line each."""

    archive: Path
    digests: Path
    image: str
    engine: str
    say: Callable[[str], None]

    def is_loaded(self) -> bool:
        """Whether an engine has just this image under its name."""
        return self.engine != engines.NONE and self.digests.is_file() and self._holder() is not None

    def load(self) -> None:
        """Load the archive. Without an engine, print what to do with the file. Raises UserError."""
        engine = next(engines.usable(self.engine), None) if self.engine != engines.NONE else None
        if engine is None:
            if self.engine not in (engines.AUTO, engines.NONE):
                raise UserError(f"engine={self.engine}: {engines.why_none(self.engine)}")
            self.say(self._by_hand())
            return
        engine.take(self.archive)
        if self._holder() is None:
            raise UserError(
                f"{engine.name} took {self.archive}, but shows another image as {self.image}"
            )
        self.say(
            f"      {self.image} is in {engine.name}: {' '.join((engine.name, *engine.listing))}"
        )

    def push(self, name: str) -> None:
        """Push the archive to a registry. Raises UserError."""
        registry.push(self.archive, name)
        self.say(f"      pushed as {name}")

    def _holder(self) -> engines.Engine | None:
        # Podman shows digests without their algorithm.
        ours = [
            digest if ":" in digest else f"sha256:{digest}"
            for digest in self.digests.read_text(encoding="ascii").split()
        ]
        return next(
            (
                engine
                for engine in engines.usable(self.engine)
                if engine.image_id(self.image) in ours
            ),
            None,
        )

    def _by_hand(self) -> str:
        why = engines.why_none(self.engine)
        return (
            f"      {self.image}: {why}; the image stays in {self.archive}. To load it:\n"
            f"          docker load -i {self.archive}\n"
            f"          ctr -n k8s.io images import {self.archive}\n"
            f"      To push it: the same command with push=REGISTRY/NAME:TAG, or\n"
            f"          skopeo copy oci-archive:{self.archive} docker://REGISTRY/NAME:TAG"
        )
