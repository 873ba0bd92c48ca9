"""A step: one program with its arguments, and what is known about running it."""

from __future__ import annotations

from typing import Protocol

from attrs import evolve, frozen

from kbimg_tasks.steps.args import Arg, Artifact, Location, Program, Stdin, own_program
from kbimg_tasks.steps.blame import Blame


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
