"""The values of a plan: artifacts, arguments, steps and stages.

Everything about a stage is derived from its steps: the edges of the graph, the fingerprint, the
host check, the files that `clean` deletes, and the commands in the log. Nothing here reads or
writes files.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Protocol, Union

from attrs import Factory, evolve, field, frozen

from kbimg_tasks.steps.blame import Blame


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
class Source:
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


Arg = Union[str, Artifact, Location, Source, Program, Unhashed, Content, Joined]
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


@frozen
class Progress:
    """Progress measured by output: the number of lines that match `pattern`, of `total` or of the
    number in the pattern's group `total`."""

    pattern: str
    total: Arg
    unit: str


@frozen
class Growth:
    """Progress measured by the disk space of `file`, compared with that of the artifacts
    `made_of`."""

    file: Artifact | Location
    made_of: tuple[Artifact, ...]


class Wrapper(Protocol):
    """A program that sets something up and then runs the step's program."""

    @property
    def argv(self) -> tuple[Arg, ...]:
        """The program with its own arguments; those of the inner program follow."""


@frozen
class Starter:
    """A wrapper that is just a program with arguments."""

    argv: tuple[Arg, ...]


@frozen
class Step:
    """One program to run: an argument list, never a shell's text.

    `wrappers` run around the program, the outermost first. `also_runs` are programs of the host
    that the program itself runs. `blames` are the options that the error message names when the
    step fails.
    """

    argv: tuple[Arg, ...]
    stdin: Stdin | None = None
    stdout: Artifact | Location | None = None
    env: tuple[tuple[str, Arg], ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    also_runs: tuple[str | Program, ...] = ()
    progress: Progress | Growth | None = None
    blames: tuple[Blame, ...] = ()

    @property
    def command(self) -> tuple[Arg, ...]:
        """The whole argument list: the wrappers, then the program."""
        return (*(arg for wrapper in self.wrappers for arg in wrapper.argv), *self.argv)

    def fed(self, stdin: Stdin) -> Step:
        """The same step with its standard input taken from a file or a secret."""
        return evolve(self, stdin=stdin)

    def into(self, stdout: Artifact | Location) -> Step:
        """The same step with its standard output written to a file."""
        return evolve(self, stdout=stdout)

    def behind(self, *argv: Arg) -> Step:
        """The same step with its program started by another one."""
        return self.inside(Starter(argv))

    def inside(self, wrapper: Wrapper) -> Step:
        """The same step with one more wrapper around it."""
        return evolve(self, wrappers=(wrapper, *self.wrappers))

    def using(self, *programs: str | Program) -> Step:
        """The same step, with further programs that its own program runs."""
        return evolve(self, also_runs=programs)

    def doing(self, *option: str | int) -> Step:
        """The same step, with the option or table that it comes from, which any failure is blamed
        on."""
        return self.blaming(Blame(option))

    def blaming(self, *blames: Blame) -> Step:
        """The same step, with the options to blame when it fails."""
        return evolve(self, blames=(*self.blames, *blames))

    def counting(self, pattern: str, total: Arg, unit: str) -> Step:
        """The same step, with its progress measured by its output."""
        return evolve(self, progress=Progress(pattern, total, unit))

    def growing(self, file: Artifact | Location, *made_of: Artifact) -> Step:
        """The same step, with its progress measured by the file that it writes."""
        return evolve(self, progress=Growth(file, made_of))


def run(*argv: Arg, **env: Arg) -> Step:
    """A step that runs a program, with `env` added to its environment."""
    return Step(argv=argv, env=tuple(sorted(env.items())))


def tool(name: str, *argv: Arg, **env: Arg) -> Step:
    """A step that runs one of kbimg's own programs in `kbimg_tasks/tools`."""
    return run(own_program(name), *argv, **env)


@frozen
class Stage:
    """A node of the graph: what it makes (`summary`), its steps and its artifacts.

    `implicit_inputs` are files that the stage depends on although no argument names them: a program
    of the stage finds them by itself, or they exist only when a check has passed.
    `clock` is the time in seconds since the epoch of all files that the stage makes
    (https://reproducible-builds.org/specs/source-date-epoch/).
    A shared stage (`is_shared`) is made once for all output directories of the machine: see
    `build/store.py`.
    A protected stage makes files that cannot be made again, such as keys: it runs only if they do
    not exist, whatever its fingerprint, and clean deletes them only when its name is given.
    """

    name: str
    summary: str
    clock: Arg = "0"
    artifacts: tuple[Artifact, ...] = ()
    steps: tuple[Step, ...] = ()
    implicit_inputs: tuple[Source | Artifact, ...] = ()
    is_shared: bool = False
    protected: bool = False

    def __getitem__(self, name: str) -> Artifact:
        """The artifact of that name."""
        return next(artifact for artifact in self.artifacts if artifact.name == name)

    def args(self) -> Iterator[Stdin]:
        """Every argument, flat, in the order of the steps."""
        yield from self.implicit_inputs
        yield from _flat(self.clock)
        for step in self.steps:
            for arg in step.command:
                yield from _flat(arg)
            for _, value in step.env:
                yield from _flat(value)
            for stream in (step.stdin, step.stdout):
                if stream is not None:
                    yield from _flat(stream)
            if isinstance(step.progress, Progress):
                yield from _flat(step.progress.total)

    def needs(self) -> tuple[Artifact, ...]:
        """The artifacts of other stages among the arguments: the edges of the graph."""
        wanted: dict[Artifact, None] = {}
        for arg in self.args():
            artifact = arg.artifact if isinstance(arg, Content) else arg
            if isinstance(artifact, Artifact) and artifact.stage != self.name:
                wanted[artifact] = None
        return tuple(wanted)

    def locations(self, base: Base) -> tuple[Location, ...]:
        """The locations below `base` among the arguments."""
        found = (arg for arg in self.args() if isinstance(arg, Location) and arg.base is base)
        return tuple(dict.fromkeys(found))

    def tools(self) -> tuple[str, ...]:
        """kbimg's own programs among the arguments."""
        found = (arg.tool for arg in self.args() if isinstance(arg, Program) and arg.tool)
        return tuple(dict.fromkeys(found))

    def sources(self) -> tuple[Source, ...]:
        """The user's files and directories among the arguments."""
        return tuple(dict.fromkeys(arg for arg in self.args() if isinstance(arg, Source)))


def _flat(arg: Stdin) -> Iterator[Stdin]:
    if isinstance(arg, Joined):
        for part in arg.parts:
            yield from _flat(part)
    else:
        yield arg
