"""How much room stages take, and what is said when it is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Size, Stage

MIB = 1 << 20
# The root tree of the guide's package list, while its own size is not known yet.
USUAL_TREE_MIB = 600
# Below this much, a program that failed most likely failed for want of room.
SCARCE_MIB = 8
# How programs word ENOSPC: strerror(3), and those that have words of their own.
COMPLAINTS = (
    "no space left",
    "disk full",
    "not enough free space",
    "not enough space",
    "insufficient space",
)


def tree_mib(layout: Layout) -> int:
    """The size of the installed packages as they state it, or a usual one before they are known."""
    lock = layout.stage("packages") / "packages.lock"
    if not lock.exists():
        return USUAL_TREE_MIB
    rows = lock.read_text(encoding="utf-8").splitlines()
    return sum(int(row.split("\t")[2]) for row in rows) // MIB


def free_mib(folder: Path) -> int:
    """What is free where a folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // MIB


def is_exhausted(layout: Layout, said: Iterable[str]) -> bool:
    """Whether a program that failed did so because a disk is full."""
    text = "\n".join(said).lower()
    return any(complaint in text for complaint in COMPLAINTS) or any(
        free_mib(folder) < SCARCE_MIB for folder in (layout.out, layout.cache)
    )


def exhausted(stage: Stage, layout: Layout, failure: str) -> str:
    """What to tell whoever's disk is full; `failure` is what the stage met."""
    written = _written_mib(layout.partial(stage.name))
    expected = sum(one.size is Size.ROOT for one in stage.artifacts) * tree_mib(layout)
    needed = (
        f"about {expected} MiB"
        if expected > written
        else f"more than the {written} MiB that it had written"
    )
    place = layout.cache if stage.is_shared else layout.out
    return (
        f"{stage.name}: the disk is full: it needs {needed} in {place}, where "
        f"{free_mib(place)} MiB were left (in {layout.cache}: {free_mib(layout.cache)} MiB). "
        "What it had written is deleted, what was finished stays: make room and start again.\n"
        f"{failure}"
    )


def _written_mib(folder: Path) -> int:
    blocks = 0
    for place, folders, files in os.walk(folder.resolve()):
        for name in folders + files:
            try:
                blocks += os.lstat(os.path.join(place, name)).st_blocks
            except FileNotFoundError:
                continue
    return blocks * 512 // MIB
