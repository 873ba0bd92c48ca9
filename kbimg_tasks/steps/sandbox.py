"""What is set up around a step's program: a root tree, a folder in memory, no waiting for disks."""

from __future__ import annotations

from attrs import evolve, frozen

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.stage import Arg, Artifact, Scratch, Step, Tool, joined

# While a tree is worked on, what belongs to /var goes to the copy that nodes fill theirs from.
FACTORY_AS_VAR = ("/usr/share/factory/var", "/var")


def nosync(step: Step) -> Step:
    """The step with its programs kept from waiting for the disk, which publishing does not need."""
    return step.behind(Tool("unsynced"), "--")


@frozen
class Sandbox:
    """A root tree mounted for one step, seen by nothing else.

    `layers` are merged, the lowest first. Changes go to `upper`; without one the tree is read-only.
    `root` is where the tree is mounted, or, without layers, a directory that is there already.
    `machine` is the architecture of the tree's programs, where any of them may run.
    """

    root: Arg
    layers: tuple[Artifact, ...] = ()
    upper: Artifact | Scratch | None = None
    binds: tuple[tuple[Arg, Arg], ...] = ()
    moves: tuple[tuple[str, str], ...] = ()
    tmpfs: tuple[str, ...] = ()
    kernel: bool = False
    machine: str = ""
    chroot: bool = False

    def running_in(self, architecture: Architecture) -> Sandbox:
        """The same tree with programs of its own run inside it, as in a chroot."""
        return evolve(self, chroot=True, kernel=True, machine=architecture.name)

    def wrap(self, step: Step) -> Step:
        """The step that mounts the tree and then does `step`."""
        return step.inside(self)

    @property
    def argv(self) -> tuple[Arg, ...]:
        """The tool that mounts the tree, with its arguments."""
        argv: list[Arg] = [Tool("sandboxed"), joined("--root=", self.root)]
        argv += [joined("--layer=", layer) for layer in self.layers]
        if self.upper:
            argv += [joined("--upper=", self.upper), joined("--work=", Scratch("overlay-work"))]
        argv += [joined("--bind=", source, ":", target) for source, target in self.binds]
        argv += [f"--move={source}:{target}" for source, target in self.moves]
        argv += [f"--tmpfs={target}" for target in self.tmpfs]
        argv += ["--kernel"] if self.kernel else []
        argv += [f"--machine={self.machine}"] if self.machine else []
        argv += ["--chroot"] if self.chroot else []
        return (*argv, "--")


def in_memory(step: Step) -> Step:
    """The step with a folder in memory for what must not reach a disk, keys in the clear say: it
    hides /dev/shm, and ends with the step."""
    return Sandbox(root="/dev", tmpfs=("/shm",)).wrap(step)
