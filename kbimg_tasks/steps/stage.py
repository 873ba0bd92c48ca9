"""The values that a build is planned in: artifacts, steps and stages.

A stage is its steps. The edges of the graph, the fingerprint, the host check, what `clean` removes
and the shell text of the log are all derived from them. Nothing here touches the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Protocol, Union

from attrs import Factory, evolve, field, frozen


class Size(Enum):
    """How large an artifact is, decided when planning.

    A small one counts with its content, so where a stage comes out the same, no stage that needs it
    is made again. A large one is never read: it counts by what its stage was made from. One of the
    size of the root tree takes about as much disk space as the installed packages.
    """

    SMALL = "small"
    LARGE = "large"
    ROOT = "root"


@frozen
class Artifact:
    """Something a stage makes: a file, or a directory tree.

    A `result` lies in the output directory under its own name, where the user looks for it; all
    else lies in the stage's own folder below `.kbimg`. One with `checksums` lists files
    in a cache that others may empty, and counts with the artifact of that name: their checksums.
    """

    stage: str
    name: str
    is_tree: bool = False
    is_result: bool = False
    size: Size = field(
        default=Factory(lambda own: Size.LARGE if own.is_tree else Size.SMALL, takes_self=True)
    )
    checksums: str = ""


@frozen
class Scratch:
    """A path in the stage's work directory that is thrown away with it."""

    name: str


@frozen
class Source:
    """A file or directory of the user's: its content, modes and owners count for the stage."""

    path: Path


@frozen
class Data:
    """A file or directory of the package's own `data` folder."""

    name: str


@frozen
class Cache:
    """A folder that all builds of this machine share; what is in it never counts for a stage."""

    name: str


@frozen
class Unhashed:
    """Part of a command line that changes how a step is done, not its result: it never counts."""

    word: str


@frozen
class Tool:
    """One of our own programs, a module of `kbimg_tasks/tools`; its code counts for the stage."""

    name: str

    @property
    def module(self) -> str:
        """What Python's `-m` is given."""
        return f"kbimg_tasks.tools.{self.name}"


@frozen
class OneOf:
    """The first of several programs that the host has; which one makes no difference."""

    names: tuple[str, ...]


@frozen
class Text:
    """Text for a program's standard input."""

    text: str


@frozen
class Content:
    """The text of a small file, known only while building (a kernel version, say)."""

    artifact: Artifact | Scratch


@frozen
class Joined:
    """Several parts that make one argument, such as `--layer=` and an artifact's path."""

    parts: tuple[Arg, ...]


@frozen
class Secret:
    """Text for a program's standard input that no argument list, log or database may show."""

    name: str
    text: str = field(repr=False)


Arg = Union[str, Artifact, Scratch, Source, Data, Cache, Tool, Unhashed, OneOf, Content, Joined]
Stdin = Union[Arg, Text, Secret]


def joined(*parts: Arg) -> Joined:
    """One argument out of several parts."""
    return Joined(parts)


@frozen
class Progress:
    """Progress by output: lines that match `pattern`, out of `total` or of what its group `total`
    has found."""

    pattern: str
    total: Arg
    unit: str


@frozen
class Growth:
    """Progress by the disk space of `file`, out of about what the artifacts `made_of` take."""

    file: Artifact | Scratch
    made_of: tuple[Artifact, ...]


class Wrapper(Protocol):
    """Something that is set up around a step's program."""

    @property
    def argv(self) -> tuple[Arg, ...]:
        """The program that sets it up, with its arguments up to those of the program inside."""


@frozen
class Starter:
    """A program that starts the one behind its own arguments."""

    argv: tuple[Arg, ...]


@frozen
class Step:
    """One program to run: an argument list, never a shell's text.

    `wrappers` are set up around the program, the outermost first. `also_runs` are the programs of
    the host that the program runs in turn. `option` is where the user asked for it, as
    ("users", 0); when it fails, that is named.
    """

    argv: tuple[Arg, ...]
    stdin: Stdin | None = None
    stdout: Artifact | Scratch | None = None
    env: tuple[tuple[str, Arg], ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    also_runs: tuple[str | OneOf, ...] = ()
    progress: Progress | Growth | None = None
    option: tuple[str | int, ...] = ()

    @property
    def command(self) -> tuple[Arg, ...]:
        """The whole argument list: the wrappers, then the program."""
        return (*(arg for wrapper in self.wrappers for arg in wrapper.argv), *self.argv)

    def fed(self, stdin: Stdin) -> Step:
        """The same step with its standard input taken from a file or a secret."""
        return evolve(self, stdin=stdin)

    def into(self, stdout: Artifact | Scratch) -> Step:
        """The same step with its standard output written to a file."""
        return evolve(self, stdout=stdout)

    def behind(self, *argv: Arg) -> Step:
        """The same step with its program started by another one."""
        return self.inside(Starter(argv))

    def inside(self, wrapper: Wrapper) -> Step:
        """The same step with one more wrapper around it."""
        return evolve(self, wrappers=(wrapper, *self.wrappers))

    def using(self, *programs: str | OneOf) -> Step:
        """The same step, saying which programs its own program runs in turn."""
        return evolve(self, also_runs=programs)

    def doing(self, *option: str | int) -> Step:
        """The same step, saying which option or table asks for it."""
        return evolve(self, option=option)

    def counting(self, pattern: str, total: Arg, unit: str) -> Step:
        """The same step with its progress read off its output."""
        return evolve(self, progress=Progress(pattern, total, unit))

    def growing(self, file: Artifact | Scratch, *made_of: Artifact) -> Step:
        """The same step with its progress read off the file that it writes."""
        return evolve(self, progress=Growth(file, made_of))


def run(*argv: Arg, **env: Arg) -> Step:
    """A step that runs a program, with `env` added to its environment."""
    return Step(argv=argv, env=tuple(sorted(env.items())))


def tool(name: str, *argv: Arg, **env: Arg) -> Step:
    """A step that runs one of our own programs in `kbimg_tasks/tools`."""
    return run(Tool(name), *argv, **env)


@frozen
class Stage:
    """A node of the graph: what it makes (`summary`), its steps and its artifacts.

    `implicit_inputs` are files that count although no argument names them: a program of the stage
    finds them by itself, or they are there only when a check has passed.
    `clock` is the time in seconds since the epoch that stands in everything the stage makes
    (https://reproducible-builds.org/specs/source-date-epoch/).
    One that `is_shared` is made once for all output directories of the machine: see `store`.
    One that is `protected` makes what cannot be made again: it is made where there is none,
    whatever it would be made from now, and only cleaned by its name.
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

    def sources(self) -> tuple[Source, ...]:
        """The user's files among the arguments."""
        return tuple(dict.fromkeys(arg for arg in self.args() if isinstance(arg, Source)))


def _flat(arg: Stdin) -> Iterator[Stdin]:
    if isinstance(arg, Joined):
        for part in arg.parts:
            yield from _flat(part)
    else:
        yield arg
