"""A kind of image with its planning function, and the plan that this returns."""

from __future__ import annotations

from typing import Callable, Optional

from attrs import frozen

from kbimg_tasks.config.kind import Kind
from kbimg_tasks.config.model import Config
from kbimg_tasks.plan.root import Given
from kbimg_tasks.plan.system import System
from kbimg_tasks.steps.stage import Stage


@frozen
class Container:
    """A container image's name, and the stage that writes its archive."""

    name: str
    stage: Stage


@frozen
class ImagePlan:
    """A planned image: its stages in build order, those of them that make its results, its
    order-only prerequisites, and the container image, if it is one."""

    stages: tuple[Stage, ...]
    results: tuple[Stage, ...]
    order_only: tuple[Stage, ...] = ()
    container: Container | None = None


# Returns None if the configuration does not ask for the image. The system is None if the
# configuration has no source for it.
Planner = Callable[[Config, Given, Optional[System]], Optional[ImagePlan]]


@frozen(kw_only=True)
class ImageKind(Kind):
    """A kind of image that can be planned."""

    plan: Planner


def with_results(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages that make results."""
    return tuple(
        stage for stage in stages if any(artifact.is_result for artifact in stage.artifacts)
    )
