"""Plans all images of a configuration. Pure: no files, no clock, no processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from kbimg_tasks.config.model import Config
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.plan.kinds.kind import Container, ImageKind, ImagePlan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.plan.system import System
from kbimg_tasks.stages import contents
from kbimg_tasks.steps.programs import programs
from kbimg_tasks.steps.stage import Stage


@frozen
class Plan:
    """The stages in build order; for each image, the stages that make its results and its
    order-only prerequisites, which are checks that run before its other stages; and the container
    images."""

    stages: tuple[Stage, ...]
    images: dict[str, tuple[Stage, ...]]
    containers: dict[str, Container]
    order_only: dict[str, tuple[Stage, ...]]

    def standing_under(self, names: Iterable[str]) -> tuple[Stage, ...]:
        """These stages, or the stages of these images, with all stages that they need."""
        wanted = set(names)
        wanted |= {stage.name for name in wanted for stage in self.images.get(name, ())}
        for stage in reversed(self.stages):
            if stage.name in wanted:
                wanted |= {need.stage for need in stage.needs()}
        return tuple(stage for stage in self.stages if stage.name in wanted)

    def in_order(self, image: str) -> tuple[Stage, ...]:
        """The stages of an image in build order, its order-only prerequisites first."""
        first = self.standing_under(stage.name for stage in self.order_only.get(image, ()))
        return first + tuple(stage for stage in self.standing_under([image]) if stage not in first)

    def order_only_of(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The order-only prerequisites of each stage when these images are built."""
        checks = [stage.name for name in names for stage in self.order_only.get(name, ())]
        before = self.standing_under(checks)
        return {stage.name: tuple(checks) for stage in self.stages if stage not in before}


NOTHING_GIVEN = Given()


def plan(
    config: Config, given: Given = NOTHING_GIVEN, kinds: Mapping[str, ImageKind] = KINDS
) -> Plan:
    """The plan of all images that a configuration describes."""
    system = System.of(config, given)
    planned = {name: kind.plan(config, given, system) for name, kind in kinds.items()}
    images = {name: image for name, image in planned.items() if image is not None}
    results = {name: image.results for name, image in images.items()}
    of_system = [name for name in images if kinds[name].holds_system]
    stages = _joined(images[name] for name in of_system)
    if system is not None:
        described = (
            *system.root.described,
            contents.build_tools(programs(stages), system.root.tar["kubeos.tar"]),
        )
        stages += described
        results.update((name, (*results[name], *described)) for name in of_system)
    stages += _joined(image for name, image in images.items() if name not in of_system)
    return Plan(
        stages,
        results,
        {name: image.container for name, image in images.items() if image.container},
        {name: image.order_only for name, image in images.items()},
    )


def _joined(images: Iterable[ImagePlan]) -> tuple[Stage, ...]:
    """The stages of these images, each only once."""
    return tuple(dict.fromkeys(stage for image in images for stage in image.stages))
