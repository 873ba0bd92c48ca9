"""Reads an output directory for a report. Nothing is built, mounted or written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from kbimg_tasks.build import run_log, stamps
from kbimg_tasks.commands.report.model import (
    Disk,
    Outcome,
    PackageSize,
    PartitionUse,
    Report,
    ResultFile,
    Run,
    StageState,
    State,
    Work,
)
from kbimg_tasks.config.model import Config
from kbimg_tasks.dissect import file_systems, tree_sizes
from kbimg_tasks.host.allocation import allocated
from kbimg_tasks.machine.partitions import Table
from kbimg_tasks.plan.images import Plan
from kbimg_tasks.plan.system import disk_table
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tools import checksum, lock_format

PACKAGES, DISK, TREE = ("packages", lock_format.NAME), "system.img", "kubeos.tar"
TREE_LEVELS, FOLDERS_SHOWN = 3, 20
CHECKSUM_SUFFIX = ".sha256"
CHECKSUM = re.compile(r"([0-9a-f]{64}) ")
# Hashing a larger file, above all the disk of 20 GiB, would take too long for a report.
HASHED_UP_TO_BYTES = 4 << 30


def report(
    config: Config, planned: Plan, images: Collection[str], layout: Layout, name: str, now: float
) -> Report:
    """The report of these images. `name` is what the user calls the configuration, `now` is in
    seconds since the epoch. Raises OSError if something cannot be read."""
    checks = (stage.name for image in images for stage in planned.order_only.get(image, ()))
    stages = planned.standing_under((*images, *checks))
    results = tuple(
        dict.fromkeys(
            artifact.name
            for stage in stages
            for artifact in stage.artifacts
            if artifact.is_result
            and not artifact.is_tree
            and not artifact.name.endswith(CHECKSUM_SUFFIX)
        )
    )
    there = tuple(result for result in results if (layout.out / result).is_file())
    has_disk = bool(config.from_repo or config.from_dockerimg)
    return Report(
        name,
        str(layout.out),
        now,
        tuple(images),
        states(stages, layout),
        run_of(run_log.read(layout)),
        disk(disk_table(config), layout.out / DISK) if has_disk else None,
        packages(layout.stage(PACKAGES[0]) / PACKAGES[1]),
        tree_sizes.largest(tree_sizes.files(layout.out / TREE), TREE_LEVELS, FOLDERS_SHOWN)
        if TREE in there
        else (),
        tuple(result_of(layout.out / result) for result in there),
        tuple(result for result in results if result not in there),
    )


def states(stages: Iterable[Stage], layout: Layout) -> tuple[StageState, ...]:
    """The state of each stage. A stage that depends on an outdated one is outdated too, even if the
    new result can be the same."""
    found: dict[str, StageState] = {}
    for stage in stages:
        needs = tuple(dict.fromkeys(need.stage for need in stage.needs()))
        stamp = stamps.read(layout, stage.name)
        if (
            all(found[need].state is State.MADE for need in needs)
            and (stamp or stage.protected)
            and stamps.is_made(layout, stage)
        ):
            state = State.MADE
        else:
            state = State.OUTDATED if stamp else State.NOT_MADE
        found[stage.name] = StageState(
            stage.name, stage.summary, needs, state, stamp.seconds if stamp else None
        )
    return tuple(found.values())


def run_of(events: Sequence[run_log.Event]) -> Run | None:
    """The run that a log describes."""
    if not events:
        return None
    start, last = events[0].clock, events[-1].clock - events[0].clock
    works: list[Work] = []
    open_works: dict[str, int] = {}
    for event in events:
        at = event.clock - start
        if event.what == run_log.BEGUN:
            open_works[event.stage] = len(works)
            works.append(Work(event.stage, at, last, Outcome.NO_END))
        elif event.stage in open_works:
            place = open_works.pop(event.stage)
            outcome = Outcome.MADE if event.what == run_log.MADE else Outcome.FAILED
            works[place] = Work(event.stage, works[place].began, at, outcome)
    return Run(events[0].time, tuple(works)) if works else None


def disk(table: Table, image: Path) -> Disk:
    """The partitions of the disk, with the file systems found in the image."""
    if not image.is_file():
        return Disk(table, tuple(PartitionUse(part) for part in table.partitions), False)
    with open(image, "rb") as stream:
        return Disk(
            table,
            tuple(
                PartitionUse(
                    part,
                    file_systems.found(stream, part.start_mib << 20),
                    file_systems.is_empty(stream, part.start_mib << 20),
                )
                for part in table.partitions
            ),
            True,
        )


def packages(lock: Path) -> tuple[PackageSize, ...]:
    """The resolved packages, the largest first."""
    if not lock.is_file():
        return ()
    return tuple(
        sorted(
            (PackageSize(each.nevra, each.installed_bytes) for each in lock_format.read(lock)),
            key=lambda package: (-package.installed_bytes, package.name),
        )
    )


def result_of(path: Path) -> ResultFile:
    """A result with its checksum: from the checksum file if that is newer, or else computed."""
    status = path.stat()
    listed = path.with_name(f"{path.name}{CHECKSUM_SUFFIX}")
    digest = ""
    if listed.is_file() and listed.stat().st_mtime_ns >= status.st_mtime_ns:
        match = CHECKSUM.match(listed.read_text(encoding="ascii", errors="replace"))
        digest = match[1] if match else ""
    if not digest and status.st_size <= HASHED_UP_TO_BYTES:
        digest = checksum.of_file(path)
    return ResultFile(path.name, status.st_size, allocated(status), digest)
