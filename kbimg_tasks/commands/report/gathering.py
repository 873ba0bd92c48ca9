"""Reads an output directory for a report. Nothing is built, mounted or written."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from kbimg_tasks.build import run_log, stamps
from kbimg_tasks.commands.report.model import (
    Disk,
    Outcome,
    Package,
    PartitionUse,
    Report,
    Result,
    Run,
    StageState,
    State,
    Work,
)
from kbimg_tasks.config.model import Config
from kbimg_tasks.dissect import file_systems, tree_sizes
from kbimg_tasks.machine.partitions import Table
from kbimg_tasks.plan.images import Plan, disk_table
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage

PACKAGES, DISK, TREE = ("packages", "packages.lock"), "system.img", "kubeos.tar"
TREE_LEVELS, FOLDERS_SHOWN = 3, 20
SUM_SUFFIX = ".sha256"
SUM = re.compile(r"([0-9a-f]{64}) ")
# A larger file, the disk of 20 GiB before all, would take longer than a look at a build should.
SUMMED_UP_TO_BYTES = 4 << 30


def report(
    config: Config, planned: Plan, images: Collection[str], layout: Layout, name: str, now: float
) -> Report:
    """What there is of these images. `name` is what the user calls the configuration, `now` is in
    seconds since the epoch. Raises OSError where something cannot be read."""
    checks = (stage.name for image in images for stage in planned.order_only.get(image, ()))
    stages = planned.standing_under((*images, *checks))
    results = tuple(
        dict.fromkeys(
            artifact.name
            for stage in stages
            for artifact in stage.artifacts
            if artifact.is_result
            and not artifact.is_tree
            and not artifact.name.endswith(SUM_SUFFIX)
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
    """How each stage stands. What stands on a stage that is to be made again is outdated with it,
    even if that one may come out the same."""
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
    """The run that a log tells of."""
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
    """The disk's partitions, with what is found in the image at their places."""
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


def packages(lock: Path) -> tuple[Package, ...]:
    """The packages that were resolved (see tools/lock_packages.py), the largest first."""
    if not lock.is_file():
        return ()
    rows = (line.split("\t") for line in lock.read_text(encoding="utf-8").splitlines())
    return tuple(
        sorted(
            (Package(name, int(size)) for name, _, size, _ in rows),
            key=lambda package: (-package.installed_bytes, package.name),
        )
    )


def result_of(path: Path) -> Result:
    """A result with its sum: the one that was written after it, or else the file's own."""
    status = path.stat()
    told = path.with_name(f"{path.name}{SUM_SUFFIX}")
    digest = ""
    if told.is_file() and told.stat().st_mtime_ns >= status.st_mtime_ns:
        match = SUM.match(told.read_text(encoding="ascii", errors="replace"))
        digest = match[1] if match else ""
    if not digest and status.st_size <= SUMMED_UP_TO_BYTES:
        digest = _sum(path)
    return Result(path.name, status.st_size, status.st_blocks * 512, digest)


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
