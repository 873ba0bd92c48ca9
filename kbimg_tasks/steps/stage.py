"""A stage: a node of the graph, with its steps and artifacts.

Everything about a stage is derived from its steps: the edges of the graph, the fingerprint, the
host check, the files that `clean` deletes, and the commands in the log. Nothing here reads or
writes files.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from kbimg_tasks.steps.args import (
    Arg,
    Artifact,
    Base,
    Content,
    Location,
    Program,
    Stdin,
    UserFile,
    flat,
)
from kbimg_tasks.steps.step import Progress, Step


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
    implicit_inputs: tuple[UserFile | Artifact, ...] = ()
    is_shared: bool = False
    protected: bool = False

    def __getitem__(self, name: str) -> Artifact:
        """The artifact of that name."""
        return next(artifact for artifact in self.artifacts if artifact.name == name)

    def clamps_times(self, artifact: Artifact) -> bool:
        """Whether publishing limits the modification times in the artifact to the clock: later
        times are those of this build. Files of a protected stage are made only once."""
        return artifact.is_tree and not self.protected

    def args(self) -> Iterator[Stdin]:
        """Every argument, flat, in the order of the steps."""
        yield from self.implicit_inputs
        yield from flat(self.clock)
        for step in self.steps:
            for arg in step.command:
                yield from flat(arg)
            for _, value in step.env:
                yield from flat(value)
            for stream in (step.stdin, step.stdout):
                if stream is not None:
                    yield from flat(stream)
            if isinstance(step.progress, Progress):
                yield from flat(step.progress.total)

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

    def sources(self) -> tuple[UserFile, ...]:
        """The user's files and directories among the arguments."""
        return tuple(dict.fromkeys(arg for arg in self.args() if isinstance(arg, UserFile)))
