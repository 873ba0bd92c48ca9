"""Copy a file or directory into a root tree as `cp -r` does, never to a path outside it.

Usage: copy_into --root ROOT [--create-dir DIR] [--mode OCTAL] [--owner USER[:GROUP]] SOURCE TARGET

TARGET and DIR are paths in the tree: symbolic links are followed as a process with that root would
follow them, and a path above the root is refused. New files belong to root and have the source's
mode without 022, unless `--mode` and `--owner` are given. These apply to everything that is copied;
a mode gives directories an x for each r. User and group names are those of the tree's /etc/passwd
and /etc/group.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import sys
from pathlib import Path

from attrs import frozen

from kbimg_tasks.tools.user_error import UserError

LINKS_AT_MOST = 40  # path_resolution(7)


def resolve(root: Path, path: str) -> Path:
    """The host's path of the tree's `path`, with all links followed inside the tree."""
    waiting = _names(path)
    there: list[str] = []
    links = 0
    while waiting:
        name = waiting.pop(0)
        if name == "..":
            if not there:
                raise UserError(f"{path} leads out of the root tree")
            there.pop()
            continue
        full = root.joinpath(*there, name)
        if not full.is_symlink():
            there.append(name)
            continue
        links += 1
        if links > LINKS_AT_MOST:
            raise UserError(f"{path}: too many symbolic links")
        target = os.readlink(full)
        if target.startswith("/"):
            there = []
        waiting = _names(target) + waiting
    return root.joinpath(*there)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def identity(root: Path, owner: str) -> tuple[int, int]:
    """The IDs of `user[:group]` in the tree; without a group, the user's primary group."""
    user, _, group = owner.partition(":")
    uid, gid = _entry(root / "etc/passwd", user, "user")
    if group:
        gid = _entry(root / "etc/group", group, "group")[0]
    return uid, gid


def _entry(table: Path, name: str, kind: str) -> tuple[int, int]:
    for line in table.read_text(encoding="utf-8").splitlines():
        fields = line.split(":")
        if len(fields) > 3 and name in (fields[0], fields[2]):
            return int(fields[2]), int(fields[3]) if fields[3].isdigit() else 0
    if name.isdigit():
        return int(name), int(name)
    raise UserError(f"no {kind} {name} in the image's /{table.relative_to(table.parent.parent)}")


@frozen
class Copy:
    """One copy operation, with the mode and owner of the copies."""

    root: Path
    mode: int | None
    owner: tuple[int, int] | None

    def add(self, source: Path, target: str) -> None:
        """Copy `source`, of any type, to exactly `target`."""
        status = os.lstat(source)
        if stat.S_ISDIR(status.st_mode):
            self._directory(source, target, status)
        elif stat.S_ISLNK(status.st_mode):
            self._link(source, target)
        elif stat.S_ISREG(status.st_mode):
            self._file(source, target, status)
        else:
            raise UserError(f"{source} is neither a file, a directory nor a link")

    def _directory(self, source: Path, target: str, status: os.stat_result) -> None:
        place = resolve(self.root, target)
        if place.exists() and not place.is_dir():
            raise UserError(f"{target} is no directory in the image, but {source} is one")
        if not place.exists():
            place.mkdir()
            mode = status.st_mode if self.mode is None else self.mode | (self.mode & 0o444) >> 2
            self._settle(place, mode)
        for name in sorted(os.listdir(source)):
            self.add(source / name, f"{target}/{name}")

    def _link(self, source: Path, target: str) -> None:
        parent, _, name = target.rpartition("/")
        place = resolve(self.root, parent) / name
        if place.is_dir() and not place.is_symlink():
            raise UserError(f"{target} is a directory in the image, but {source} is a link")
        place.unlink(missing_ok=True)
        place.symlink_to(os.readlink(source))
        if self.owner:
            os.chown(place, *self.owner, follow_symlinks=False)

    def _file(self, source: Path, target: str, status: os.stat_result) -> None:
        place = resolve(self.root, target)
        if place.is_dir():
            raise UserError(f"{target} is a directory in the image, but {source} is a file")
        fresh = not place.exists()
        shutil.copyfile(source, place)
        if fresh or self.mode is not None or self.owner:
            kept = status.st_mode if fresh else place.stat().st_mode
            self._settle(place, kept if self.mode is None else self.mode)

    def _settle(self, place: Path, mode: int) -> None:
        if self.owner:
            os.chown(place, *self.owner)
        mode = stat.S_IMODE(mode)
        os.chmod(place, mode if self.mode is not None else mode & ~0o7022)


def copy(
    root: Path,
    source: Path,
    target: str,
    create_dir: str | None,
    mode: int | None,
    owner: str | None,
) -> None:
    """Copy one entry of `copy_files`. Raises UserError."""
    if create_dir:
        resolve(root, create_dir).mkdir(parents=True, exist_ok=True)
    copying = Copy(root, mode, identity(root, owner) if owner else None)
    place = resolve(root, target)
    if place.is_dir():
        target = f"{target.rstrip('/')}/{source.name}"
    elif target.endswith("/") and not source.is_dir():
        raise UserError(f"{target} is not there in the image; create_dir makes it")
    elif not place.parent.is_dir():
        parent = os.path.dirname(target.rstrip("/"))
        if resolve(root, parent).is_dir():
            raise UserError(
                f"{target} is a link in the image, to /{place.relative_to(root)}, which "
                "the running system makes: replace the link in a chroot_script"
            )
        raise UserError(f"{parent} is not there in the image; create_dir makes it")
    # If the user names a link, its target is copied.
    copying.add(source.resolve(), target)


def main() -> int:
    """Copy, or say in one line why not."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--create-dir")
    parser.add_argument("--mode", type=lambda text: int(text, 8))
    parser.add_argument("--owner")
    parser.add_argument("source", type=Path)
    parser.add_argument("target")
    options = parser.parse_args()
    os.umask(0o022)
    try:
        copy(
            options.root,
            options.source,
            options.target,
            options.create_dir,
            options.mode,
            options.owner,
        )
    except UserError as error:
        print(f"copy_into: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"copy_into: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
