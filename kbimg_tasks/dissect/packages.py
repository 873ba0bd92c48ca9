"""The packages of an image, from rpm's database in its tree or from the list next to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from kbimg_tasks.dissect.contents import Contents
from kbimg_tasks.tools.user_error import UserError

FORMAT = "%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{LONGSIZE}\n"
KEY = "gpg-pubkey"  # rpm lists signing keys as packages of this name

Packages = dict[str, dict[str, int]]
"""For each name, the versions with their architectures, each with its installed bytes."""


def packages(contents: Contents) -> Packages | None:
    """The packages of an image, from the database in its tree if there is one, or from the list;
    None without either. Raises UserError."""
    if contents.database:
        return _parsed(_queried(contents.database, contents.path).splitlines())
    if contents.package_list:
        return _parsed(contents.package_list.read_text(encoding="utf-8").splitlines())
    return None


def _queried(database: Path, image: Path) -> str:
    argv = ("rpm", "--dbpath", str(database), "--query", "--all", "--queryformat", FORMAT)
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError(f"{image}: reading its packages needs the program rpm") from error
    if done.returncode != 0 or (done.stderr and not done.stdout):
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise UserError(f"{image}: rpm cannot read the database in it: {said[0]}")
    return done.stdout


def _parsed(lines: Iterable[str]) -> Packages:
    found: Packages = {}
    for line in lines:
        if not line.startswith(("#", KEY)):
            name, version, size = _fields(line)
            found.setdefault(name, {})[version] = size
    return found


def _fields(line: str) -> tuple[str, str, int]:
    name, version, architecture, _, size = line.split("\t")
    return name, f"{version.removeprefix('0:')}.{architecture}", int(size)
