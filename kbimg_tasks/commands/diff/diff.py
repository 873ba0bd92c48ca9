"""Shows what changed between two images: packages, files, configuration, sizes.

    kbimg diff OLD NEW [--json] [--all]

OLD and NEW are kubeos.tar, upgrade_img.tar, admin_container.tar, or output directories. Exit status
0: equal; 1: different; 2: an image cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from kbimg_tasks.commands.diff import show
from kbimg_tasks.dissect import changes as image_changes
from kbimg_tasks.dissect.changes import Changes
from kbimg_tasks.dissect.contents import Contents, read
from kbimg_tasks.dissect.packages import packages
from kbimg_tasks.host.lifetime import outlive_readers
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.tools.user_error import UserError

PROGRAM = "kbimg diff"
EQUAL, DIFFERENT, UNREADABLE = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        PROGRAM,
        description="Show what changed between two images.",
        allow_abbrev=False,
        epilog="exit status: 0 equal, 1 different, 2 an image cannot be read",
    )
    for name in ("old", "new"):
        made.add_argument(
            name,
            type=Path,
            metavar=name.upper(),
            help="kubeos.tar, upgrade_img.tar, admin_container.tar or an output directory",
        )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument(
        "--all", action="store_true", help=f"show all lines, not {show.SHOWN} of each kind"
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Compare two images and return the exit status."""
    asked = parser().parse_args(argv)
    try:
        with TemporaryDirectory(prefix="kbimg-diff-") as folder:
            folders = [Path(folder) / name for name in ("old", "new")]
            for each in folders:
                each.mkdir()
            with ThreadPoolExecutor() as pool:
                old, new = pool.map(_read, (asked.old, asked.new), folders)
            changes = compare(old, new)
    except UserError as error:
        print(f"{PROGRAM}: {' '.join(str(error).split())}", file=sys.stderr)
        return UNREADABLE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{PROGRAM}: {where}{error.strerror or error}", file=sys.stderr)
        return UNREADABLE
    shown = None if asked.all else show.SHOWN
    report = show.as_json(old, new, changes) if asked.json else show.text(old, new, changes, shown)
    outlive_readers()
    sys.stdout.write(report)
    return EQUAL if changes.are_none else DIFFERENT


def _read(path: Path, folder: Path) -> Contents:
    return read(path, folder, tuple(dict.fromkeys(kind.archive for kind in KINDS.values())))


def compare(old: Contents, new: Contents) -> Changes:
    """All differences. The folders that `read` unpacked to must still exist. Raises UserError and
    OSError."""
    installed = packages(old), packages(new)
    files = image_changes.of_files(old, new)
    are_folders = old.path.is_dir() and new.path.is_dir()
    return Changes(
        None
        if installed[0] is None or installed[1] is None
        else image_changes.of_packages(installed[0], installed[1]),
        files,
        image_changes.of_texts(old, new, files),
        image_changes.of_results(old.path, new.path) if are_folders else (),
    )


if __name__ == "__main__":
    sys.exit(main())
