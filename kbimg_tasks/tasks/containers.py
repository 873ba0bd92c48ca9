"""The tasks that load a container image into an engine, and push it to a registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

from kbimg_tasks.commands.containers import ContainerArchive
from kbimg_tasks.plan.kinds.kind import Container
from kbimg_tasks.stages.container import DIGESTS
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.tasks import stages as graph

Say = Callable[[str], None]


def tasks(
    image: str, container: Container, layout: Layout, engine: str, push: str, say: Say
) -> Iterator[dict[str, Any]]:
    """The tasks that load an image and, with push=, push it."""
    archive, *_ = container.stage.artifacts
    ours = ContainerArchive(
        layout.published(archive),
        layout.published(container.stage[DIGESTS]),
        container.name,
        engine,
        say,
    )
    yield graph.note(
        f"load_{image}",
        f"load {archive.name} into the container engine, if there is one",
        ours.load,
        [container.stage.name],
        ours.is_loaded,
    )
    if push:
        yield graph.note(
            f"push_{image}",
            f"push {archive.name} as {push}",
            lambda: ours.push(push),
            [container.stage.name],
        )
