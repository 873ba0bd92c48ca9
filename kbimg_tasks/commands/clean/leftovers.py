"""Finds what can be deleted in an output directory; deletes nothing.

The names of the leftovers of legacy kbimg are from the appendix of its guide.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from kbimg_tasks.build import stamps
from kbimg_tasks.commands.scripts import folder as plan_folder
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage

LEGACY_TREES = ("rootfs", "mnt")
LEGACY_LOCK = "test.lock"
# The only directory that legacy kbimg works in. In another directory a folder `mnt` is the user's,
# unless the lock of legacy kbimg is next to it.
LEGACY_PLACE = "scripts-auto"
# In the head of every report: it distinguishes a report from a user's file of that name.
REPORT_MARK = b'<meta name="generator" content="kbimg">'
HEAD_BYTES = 1024


def legacy_trees(layout: Layout) -> tuple[Path, ...]:
    """The work trees of legacy kbimg."""
    is_its_place = layout.out.resolve().name == LEGACY_PLACE or layout.out.name == LEGACY_PLACE
    if not is_its_place and not (layout.out / LEGACY_LOCK).is_file():
        return ()
    return _there(layout.out / name for name in LEGACY_TREES)


def legacy(layout: Layout) -> tuple[Path, ...]:
    """All leftovers of legacy kbimg; its lock last, because it identifies the trees."""
    return legacy_trees(layout) + _there([layout.out / LEGACY_LOCK])


def everything(layout: Layout, results: Collection[str]) -> tuple[Path, ...]:
    """Everything that builds of any configuration left, in the order of deletion.

    `results` are names that are deleted even without a stamp that names them.
    """
    names = {*results, *_stamped_results(layout)}
    found = [
        *legacy(layout),
        *_there(layout.out / name for name in sorted(names)),
        *filter(plan_folder.is_ours, [layout.out / plan_folder.NAME]),
        *filter(_is_report, [layout.report]),
        *_half_written(layout),
    ]
    if not _is_folder(layout.private):
        return (*found, *_there([layout.private]))
    found += _stages(layout)
    # The lock is deleted last, with the folder: until then no build can start here.
    found += [
        path
        for path in _entries(layout.private)
        if path not in (layout.private / "stages", layout.lock)
    ]
    return (*found, layout.private)


def of_stage(stage: Stage, layout: Layout) -> tuple[Path, ...]:
    """The results of one stage, and its published and partial folders."""
    results = [layout.published(artifact) for artifact in stage.artifacts if artifact.is_result]
    folders = [layout.stage(stage.name), layout.partial(stage.name)]
    return _there([*results, *(path for path in folders if _is_own(layout, path))])


def unfinished(layout: Layout) -> tuple[Path, ...]:
    """What no finished result needs: partial files, stages without a stamp, and the leftovers of
    legacy kbimg."""
    found = [*legacy(layout), *_half_written(layout)]
    if _is_own(layout, layout.private / "partial"):
        found += _there([layout.private / "partial"])
    for path in _stages(layout):
        if _stamp(layout, path.name) is None:
            found.append(path)
        else:
            found += sorted(path.glob("stamp.[0-9]*"))  # a partly written stamp
    return tuple(found)


def _half_written(layout: Layout) -> tuple[Path, ...]:
    """Plans and reports that were not written to their end."""
    plans = (path for path in _entries(layout.out) if plan_folder.is_partial(path))
    return (*plans, *_there([layout.partial_report]))


def _is_report(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as page:
        return REPORT_MARK in page.read(HEAD_BYTES)


def _stamped_results(layout: Layout) -> Iterator[str]:
    for path in _stages(layout):
        stamp = _stamp(layout, path.name)
        if stamp is None or not isinstance(stamp.artifacts, dict):
            continue
        for name, told in stamp.artifacts.items():
            is_name = Path(name).name == name and name not in ("", ".", "..")
            if is_name and isinstance(told, dict) and told.get("is_result"):
                yield name


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_own(layout: Layout, path: Path) -> bool:
    """Whether no folder between the output directory and the path is a link; the path may be
    one."""
    return all(_is_folder(folder) for folder in path.parents if layout.out in folder.parents)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if _is_folder(folder) else []


def _stages(layout: Layout) -> list[Path]:
    """The folders of all stages, of any configuration."""
    stages = layout.private / "stages"
    return _entries(stages) if _is_own(layout, stages) else []


def _stamp(layout: Layout, stage: str) -> stamps.Stamp | None:
    try:
        return stamps.read(layout, stage)
    except OSError:
        return None  # the stage is not a folder, or its stamp is not a file


def _there(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(path for path in paths if os.path.lexists(path))
