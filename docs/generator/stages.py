"""The stages that there are: those of a configuration with everything, and what other
configurations have in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from docs.generator import influence
from docs.generator.option_samples import SAMPLE
from kbimg_tasks.config.model import OF_THE_TREE, Config
from kbimg_tasks.plan.images import Plan, plan
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.plan.root import Given
from kbimg_tasks.steps.args import Artifact
from kbimg_tasks.steps.stage import Stage

DISK_SIZES = "disk_partition"  # the usual ones are to be shown
NOT_USUAL = ("from_dockerimg", "dm_verity", DISK_SIZES)


@frozen
class Row:
    """A stage: what it is for, its results, its files for other stages, and the images that stand
    on it; all of the files lie in the output directory, those for other stages below .kbimg."""

    name: str
    summary: str
    results: tuple[str, ...]
    between: tuple[str, ...]
    images: tuple[str, ...]


@frozen
class Variant:
    """A kind of configuration, with the stages that none before it has."""

    title: str
    stages: tuple[Row, ...]


def usual() -> Plan:
    """The plan of a configuration for all images, out of packages and for UEFI."""
    return plan(_config(*NOT_USUAL))


def variants() -> Iterator[Variant]:
    """Kinds of configurations, the usual one first."""
    seen: set[tuple[str, str]] = set()
    for title, planned in _plans():
        found = tuple(
            row(stage, planned)
            for stage in planned.stages
            if (stage.name, stage.summary) not in seen
        )
        seen |= {(each.name, each.summary) for each in found}
        yield Variant(title, found)


def _plans() -> Iterator[tuple[str, Plan]]:
    yield "Out of packages, for UEFI", usual()
    yield "With `legacy_bios = true`", plan(_config(*NOT_USUAL, from_repo={"legacy_bios": True}))
    yield (
        "With `[dm_verity]`",
        plan(_config("from_dockerimg", DISK_SIZES, dm_verity={"keys_dir": None})),
    )
    yield (
        "With `[from_dockerimg]`",
        plan(_config("from_repo", "admin_container", "dm_verity", DISK_SIZES, *OF_THE_TREE)),
    )
    yield (
        "With `[admin_container]` on a base image",
        plan(_config(*NOT_USUAL), Given(builder="docker")),
    )


def _config(*without: str, **changes: dict[str, Any]) -> Config:
    """The sample without some of its tables, and with other values; None is no value."""
    tables = {name: values for name, values in SAMPLE.items() if name not in without}
    for name, values in changes.items():
        merged = {**tables[name], **values}
        tables[name] = {key: value for key, value in merged.items() if value is not None}
    return influence.read(tables)


def row(stage: Stage, planned: Plan) -> Row:
    """A stage of a plan."""
    return Row(
        stage.name,
        stage.summary,
        tuple(shown(each) for each in stage.artifacts if each.is_result),
        tuple(shown(each) for each in stage.artifacts if not each.is_result),
        images_of(stage, planned),
    )


def shown(artifact: Artifact) -> str:
    """Its name, with a slash behind a directory's."""
    return artifact.name + "/" * artifact.is_tree


def images_of(stage: Stage, planned: Plan) -> tuple[str, ...]:
    """The images that a stage is made for, its checks included."""
    return tuple(
        image for image in KINDS if image in planned.images and stage in planned.in_order(image)
    )
