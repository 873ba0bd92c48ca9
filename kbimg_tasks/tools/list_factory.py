"""Write the tmpfiles.d file that fills a node's /var from the factory copy.

Usage: list_factory FACTORY TARGET

Every directory, file and link below FACTORY gets a line of its own with its mode and owner
(tmpfiles.d(5): d, C, L). One line for the whole tree would be shorter, but systemd copies a
directory only if it does not exist: files that a later version of the image adds to a directory
would never reach the node. The exception is a service's own directory with a file of another owner:
systemd does not follow a path from a service's directory to another owner's file, because the
service could have put a link there, so such a directory is copied once as a whole. The package
database describes the image, not the node: a link leads to the image's database, which is right
after an upgrade.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

FACTORY = "usr/share/factory/var"
OF_THE_IMAGE = ("lib/rpm",)
HEADER = "# /var of a new node, and what a new version of the image adds to it.\n"


def quoted(path: str) -> str:
    """A path as one field: specifiers doubled, in quotes if necessary (tmpfiles.d(5))."""
    if "\n" in path:
        raise SystemExit(f"list_factory: tmpfiles.d has no way to name {path!r}")
    text = path.replace("%", "%%")
    if not any(character in text for character in " \t\"'\\"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def line(path: str, full: str, whole: bool = False) -> str:
    """The line that makes `path` like `full`; empty for what tmpfiles.d cannot copy."""
    status = os.lstat(full)
    ids = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid} {status.st_gid}"
    # Without an argument, C copies the same path below /usr/share/factory.
    if whole:
        return f"C {quoted(path)} - - - -\n"  # a mode or owner here would apply to everything below
    if stat.S_ISDIR(status.st_mode):
        return f"d {quoted(path)} {ids} -\n"
    if stat.S_ISREG(status.st_mode):
        return f"C {quoted(path)} {ids} -\n"
    if stat.S_ISLNK(status.st_mode):
        # The argument is the rest of the line: it has specifiers, but no quoting.
        return f"L {quoted(path)} - - - - {os.readlink(full).replace('%', '%%')}\n"
    return ""


def is_mixed(folder: str) -> bool:
    """Whether a directory of a user other than root contains, at any depth, a file of another
    owner."""
    owner = os.lstat(folder).st_uid
    return owner != 0 and any(
        os.lstat(os.path.join(below, name)).st_uid != owner
        for below, folders, files in os.walk(folder)
        for name in folders + files
    )


def lines(factory: Path) -> Iterator[str]:
    """One line for each file below the factory, parents first."""
    for folder, folders, files in os.walk(factory):
        place = os.path.relpath(folder, factory)
        own = [name for name in folders if os.path.normpath(f"{place}/{name}") in OF_THE_IMAGE]
        mixed = [name for name in folders if is_mixed(os.path.join(folder, name))]
        for name in sorted(folders + files):
            full = os.path.join(folder, name)
            if name in own:
                yield f"L+ /var/{place}/{name} - - - - /{FACTORY}/{place}/{name}\n"
                continue
            yield line("/var/" + os.path.relpath(full, factory), full, whole=name in mixed)
        folders[:] = sorted(set(folders) - set(mixed) - set(own))


def main() -> int:
    """Write one file."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("factory", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    options.target.parent.mkdir(parents=True, exist_ok=True)
    options.target.write_text(HEADER + "".join(lines(options.factory)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
