"""The problems that prevent building a planned image now: of the host, or a missing image."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kbimg_tasks.build import preflight, space, stamps
from kbimg_tasks.diagnostics.problem import Problem
from kbimg_tasks.session.session import Planned
from kbimg_tasks.steps.args import Size
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage

# Disk space of everything that is smaller than the root tree: logs, ESP, initramfs, lists.
SMALL_THINGS_MIB = 256


def obstacles(planned: Planned, names: Iterable[str]) -> tuple[Problem, ...]:
    """The problems of building these images or stages."""
    to_make = unmade(planned, names)
    host = preflight.problems(to_make, planned.layout, needed_mib(to_make, planned.layout))
    return (*planned.source.problems(to_make), *map(Problem.of_no_file, host))


def unmade(planned: Planned, names: Iterable[str]) -> tuple[Stage, ...]:
    """The stages of these images, or these stages with those that they need."""
    return tuple(
        stage
        for stage in planned.plan.standing_under(names)
        if not stamps.is_made(planned.layout, stage)
    )


def needed_mib(stages: Collection[Stage], layout: Layout) -> int:
    """The disk space that these stages need in the output directory, in MiB."""
    copies = sum(one.size is Size.ROOT for stage in stages for one in stage.artifacts)
    return copies * space.tree_mib(layout) + SMALL_THINGS_MIB if stages else 0
