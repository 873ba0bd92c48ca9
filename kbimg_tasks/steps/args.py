"""The values that arguments are made of, and the artifacts that stages make."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Union

from attrs import Factory, field, frozen

PRIVATE_MODE = 0o600


class Size(Enum):
    """How large an artifact is, decided when planning.

    The identity of a small artifact is its content: if a stage produces the same file again, the
    stages that need it stay up to date. A large artifact is never read: its identity is the
    fingerprint of its stage. One with the size of the root tree takes about as much disk space as
    the installed packages.
    """

    SMALL = "small"
    LARGE = "large"
    ROOT = "root"


@frozen
class Artifact:
    """Something a stage makes: a file, or a directory tree.

    A result (`is_result`) is in the output directory, for the user; other artifacts are in the
    stage's folder below `.kbimg`. An artifact with `checksums` lists files in a cache that can be
    emptied at any time; its identity includes the artifact of that name, which has their checksums.
    """

    stage: str
    name: str
    is_tree: bool = False
    is_result: bool = False
    size: Size = field(
        default=Factory(lambda own: Size.LARGE if own.is_tree else Size.SMALL, takes_self=True)
    )
    checksums: str = ""

    @property
    def output_mode(self) -> int:
        """The mode of the file if a step prints it: all can read a result, other files only
        root."""
        return 0o644 if self.is_result else PRIVATE_MODE


class Base(Enum):
    """The folder that a location is in."""

    WORK = "the stage's work directory, deleted with it"
    DATA = "the `data` folder of the package; its content is part of the fingerprint"
    CACHE = "shared by all builds of this machine; its content is not part of the fingerprint"


@frozen
class Location:
    """A file or directory below a folder that kbimg knows: see `scratch`, `data` and `cache`."""

    base: Base
    name: str


@frozen
class UserFile:
    """A file or directory of the user. Its content, modes and owners are part of the
    fingerprint."""

    path: Path


@frozen
class Unhashed:
    """An argument that changes how a step is performed, not its result: not part of the
    fingerprint."""

    word: str


@frozen
class Program:
    """A program: the first of several equivalent `names` that the host has. Or one of kbimg's own:
    Python with the module `tool` of `kbimg_tasks/tools`, whose code is part of the fingerprint."""

    names: tuple[str, ...]
    tool: str = ""


@frozen
class Text:
    """Text for a program's standard input."""

    text: str


@frozen
class Content:
    """The text of a small file, known only while building, such as a kernel version."""

    artifact: Artifact | Location


@frozen
class Joined:
    """Several parts that make one argument, such as `--layer=` and an artifact's path."""

    parts: tuple[Arg, ...]


@frozen
class Secret:
    """Secret text for a program's standard input. It must not appear in arguments, logs or
    databases."""

    name: str
    text: str = field(repr=False)


Arg = Union[str, Artifact, Location, UserFile, Program, Unhashed, Content, Joined]
Stdin = Union[Arg, Text, Secret]


def scratch(name: str) -> Location:
    """A temporary path in the stage's work directory, deleted with it."""
    return Location(Base.WORK, name)


def data(name: str) -> Location:
    """A file or directory of the package's own `data` folder."""
    return Location(Base.DATA, name)


def cache(name: str) -> Location:
    """A folder that all builds of this machine share."""
    return Location(Base.CACHE, name)


def own_program(tool: str) -> Program:
    """One of kbimg's own programs, a module of `kbimg_tasks/tools`."""
    return Program(("python3",), tool)


def joined(*parts: Arg) -> Joined:
    """One argument made of several parts."""
    return Joined(parts)


def flat(arg: Stdin) -> Iterator[Stdin]:
    """The argument, or the parts of a joined one."""
    if isinstance(arg, Joined):
        for part in arg.parts:
            yield from flat(part)
    else:
        yield arg
