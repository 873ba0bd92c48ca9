"""The folder of a plan: scripts for all stages of an image, and kbimg's files that they need.

It is written under another name and renamed. Nothing is built, and it contains no secret.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from kbimg_tasks.build import fingerprint
from kbimg_tasks.commands.scripts import script
from kbimg_tasks.host import remove
from kbimg_tasks.host.installation import DATA, PARENT
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tools.user_error import UserError

NAME = "plan"
RUN_ALL, COMMON = "build.sh", "environment.sh"
_PARTIAL = re.compile(rf"\.{NAME}\.[0-9]+")


def is_ours(folder: Path) -> bool:
    """Whether the folder is a plan written by kbimg."""
    return not folder.is_symlink() and all((folder / name).is_file() for name in (RUN_ALL, COMMON))


def is_partial(folder: Path) -> bool:
    """Whether the folder is a plan that was not written completely."""
    return bool(_PARTIAL.fullmatch(folder.name)) and folder.is_dir() and not folder.is_symlink()


def files(image: str, summary: str, stages: Sequence[Stage], layout: Layout) -> dict[str, str]:
    """The scripts, by their names."""
    common, run_all = (_template(name) for name in (COMMON, RUN_ALL))
    return {
        **{f"{name}.sh": script.stage(stage) for name, stage in zip(script.names(stages), stages)},
        COMMON: script.common(common, str(layout.cache), sys.executable),
        RUN_ALL: script.run_all(run_all, image, summary, stages),
    }


def _template(name: str) -> str:
    return (DATA / "plan" / name).read_text(encoding="utf-8")


def write(image: str, summary: str, stages: Sequence[Stage], layout: Layout) -> Path:
    """Write the plan of an image into the output directory. Returns the path of the script that
    runs it.

    An earlier plan is replaced, but no other folder of that name. Raises UserError.
    """
    place = layout.out / NAME
    partial = layout.out / f".{NAME}.{os.getpid()}"
    if os.path.lexists(place) and not is_ours(place):
        raise UserError(
            f"{place} is not a plan written by kbimg", "choose another directory with out=DIR"
        )
    try:
        partial.mkdir(parents=True)
        try:
            _fill(partial, files(image, summary, stages, layout), stages)
            remove.delete(place)
            os.rename(partial, place)
        finally:
            remove.delete(partial)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from error
    return place / RUN_ALL


def _fill(folder: Path, scripts: dict[str, str], stages: Sequence[Stage]) -> None:
    for name, text in scripts.items():
        (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        (folder / name).chmod(0o644 if name == COMMON else 0o755)
    for name in script.data(stages):
        target = folder / "data" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (DATA / name).is_dir():
            shutil.copytree(
                DATA / name, target, ignore=shutil.ignore_patterns(fingerprint.COMPILED)
            )
        else:
            shutil.copy(DATA / name, target)
    for path in _programs(stages):
        target = folder / path.relative_to(PARENT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _programs(stages: Sequence[Stage]) -> Sequence[Path]:
    """kbimg's own tools, the modules that they import, and the `__init__.py` of their packages."""
    found = {fingerprint.TOOLS / "__init__.py", fingerprint.TOOLS.parent / "__init__.py"}
    for name in script.tools(stages):
        found |= fingerprint.with_imports(fingerprint.TOOLS / f"{name}.py")
    return sorted(found)
