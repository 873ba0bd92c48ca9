"""How much disk space stages need, and the message when there is not enough."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from kbimg_tasks.host.allocation import allocated_below
from kbimg_tasks.steps.args import Size
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tools import lock_format
from kbimg_tasks.tools.units import MIB

# The root tree of the guide's package list: used while the real size is unknown.
USUAL_TREE_MIB = 600
# With less free space than this, a program most likely failed because the disk is full.
SCARCE_MIB = 8
# Error messages for ENOSPC: that of strerror(3), and those of single programs.
MESSAGES = (
    "no space left",
    "disk full",
    "not enough free space",
    "not enough space",
    "insufficient space",
)


def tree_mib(layout: Layout) -> int:
    """The installed size of the packages by their own data, or a typical size before these are
    known."""
    lock = layout.stage("packages") / lock_format.NAME
    if not lock.exists():
        return USUAL_TREE_MIB
    return sum(package.installed_bytes for package in lock_format.read(lock)) // MIB


def free_mib(folder: Path) -> int:
    """The free disk space where a folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // MIB


def is_exhausted(layout: Layout, said: Iterable[str]) -> bool:
    """Whether a program failed because a disk is full."""
    text = "\n".join(said).lower()
    return any(message in text for message in MESSAGES) or any(
        free_mib(folder) < SCARCE_MIB for folder in (layout.out, layout.cache)
    )


def exhausted(stage: Stage, layout: Layout, failure: str) -> str:
    """The message for a full disk; `failure` is the original error message."""
    written = allocated_below(layout.partial(stage.name).resolve()) // MIB
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
        "Its files are deleted, finished stages are kept: free space and run again.\n"
        f"{failure}"
    )
