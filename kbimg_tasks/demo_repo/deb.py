"""Reading a Debian package: deb(5), deb-control(5)."""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attrs import frozen

from kbimg_tasks.tools.units import MIB
from kbimg_tasks.tools.user_error import UserError

Clause = tuple[str, ...]


@frozen
class Deb:
    """A Debian package file with its control information.

    `depends` has a tuple of alternative names for each dependency, without versions.
    """

    path: Path
    name: str
    version: str
    architecture: str
    summary: str
    description: str
    depends: tuple[Clause, ...]
    provides: frozenset[str]
    conffiles: frozenset[str]


def parse_control(text: str) -> dict[str, str]:
    """The fields of one paragraph; continuation lines keep their line breaks."""
    values: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            values[key] += "\n" + line[1:]
        elif line:
            key, _, value = line.partition(":")
            values[key] = value.strip()
    return values


def parse_relations(text: str) -> tuple[Clause, ...]:
    """The names of a Depends or Provides field: for each clause its alternatives."""

    def bare(alternative: str) -> str:
        return alternative.split("(")[0].split("[")[0].strip().partition(":")[0]

    return tuple(
        tuple(map(bare, clause.split("|")))
        for clause in text.replace("\n", " ").split(",")
        if clause.strip()
    )


def absolute(name: str) -> str:
    """A name in an archive as a path from the root, which cannot lead out of it."""
    return posixpath.normpath("/" + name)


@contextmanager
def _archive(option: str, path: Path) -> Iterator[tarfile.TarFile]:
    with subprocess.Popen(
        ["dpkg-deb", option, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|", encoding="utf-8") as archive:
                yield archive
            process.stdout.read()
        except tarfile.TarError as error:
            raise UserError(f"{path}: not a Debian package that can be read: {error}") from error
    if process.returncode != 0:
        raise UserError(f"{path}: dpkg-deb {option} failed", "delete the file to download it again")


def read(path: Path) -> Deb:
    """A package's control information."""
    texts = {"control": "", "conffiles": ""}
    with _archive("--ctrl-tarfile", path) as archive:
        for member in archive:
            content = archive.extractfile(member)
            name = absolute(member.name).lstrip("/")
            if content and name in texts:
                texts[name] = content.read().decode("utf-8")
    control = parse_control(texts["control"])
    summary, _, description = control.get("Description", "").partition("\n")
    relations = ", ".join(filter(None, (control.get(each) for each in ("Pre-Depends", "Depends"))))
    return Deb(
        path,
        control["Package"],
        control["Version"],
        control["Architecture"],
        summary,
        description.replace("\n.\n", "\n\n"),
        parse_relations(relations),
        frozenset(
            name for clause in parse_relations(control.get("Provides", "")) for name in clause
        ),
        frozenset(line for line in texts["conffiles"].split() if line.startswith("/")),
    )


def members(path: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The package's files in order, with absolute paths; each regular file has its content, which
    must be read before the next file.
    """
    with _archive("--fsys-tarfile", path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            member.name = absolute(member.name)
            yield member, content


def unpack(member: tarfile.TarInfo, content: IO[bytes] | None, path: Path) -> None:
    """Make one file, directory or symbolic link with its time; rpmbuild sets the owner."""
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.symlink_to(member.linkname)
    else:
        with open(path, "xb") as stream:
            shutil.copyfileobj(content, stream, MIB)
    os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)
