"""Wrappers of a step's program: a mounted root tree, a folder in memory, no syncing to disk."""

from __future__ import annotations

from attrs import evolve, frozen

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.args import Arg, Artifact, Location, joined, own_program, scratch
from kbimg_tasks.steps.step import Step

# Files that a step writes to /var go to the factory copy, from which nodes fill their own /var.
FACTORY_AS_VAR = ("/usr/share/factory/var", "/var")


def nosync(step: Step) -> Step:
    """The step with fsync and the like disabled: publishing a stage does not depend on them."""
    return step.behind(own_program("nosync"), "--")


@frozen
class Sandbox:
    """A root tree that is mounted for one step only.

    `layers` are merged, the lowest first. Changes go to `upper`; without it the tree is read-only.
    `root` is the mount point of the tree or, without layers, an existing directory. `machine` is
    the architecture of the tree's programs, if any of them may run.
    """

    root: Arg
    layers: tuple[Artifact, ...] = ()
    upper: Artifact | Location | None = None
    binds: tuple[tuple[Arg, Arg], ...] = ()
    moves: tuple[tuple[str, str], ...] = ()
    tmpfs: tuple[str, ...] = ()
    kernel: bool = False
    machine: str = ""
    chroot: bool = False

    def running_in(self, architecture: Architecture) -> Sandbox:
        """The same sandbox, which runs programs of the tree inside it by chroot."""
        return evolve(self, chroot=True, kernel=True, machine=architecture.name)

    def wrap(self, step: Step) -> Step:
        """The step, run with the tree mounted."""
        return step.inside(self)

    @property
    def argv(self) -> tuple[Arg, ...]:
        """The tool that mounts the tree, with its arguments."""
        argv: list[Arg] = [own_program("sandboxed"), joined("--root=", self.root)]
        argv += [joined("--layer=", layer) for layer in self.layers]
        if self.upper:
            argv += [joined("--upper=", self.upper), joined("--work=", scratch("overlay-work"))]
        argv += [joined("--bind=", source, ":", target) for source, target in self.binds]
        argv += [f"--move={source}:{target}" for source, target in self.moves]
        argv += [f"--tmpfs={target}" for target in self.tmpfs]
        argv += ["--kernel"] if self.kernel else []
        argv += [f"--machine={self.machine}"] if self.machine else []
        argv += ["--chroot"] if self.chroot else []
        return (*argv, "--")


def in_memory(step: Step) -> Step:
    """The step with a folder in memory at /dev/shm for data that must not be written to a disk,
    such as decrypted keys. The folder hides the host's /dev/shm and ends with the step."""
    return Sandbox(root="/dev", tmpfs=("/shm",)).wrap(step)
