"""The root tree as a tar, which upgrades and network installations unpack."""

from __future__ import annotations

from kbimg_tasks.stages.recipes.measure import measured
from kbimg_tasks.steps.args import Arg, Artifact, Size
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool


def kubeos_tar(tree: Sandbox, root_mib: int, clock: Arg) -> Stage:
    """kubeos.tar, with owners, modes and extended attributes, and sorted names.

    The same tree gives the same bytes: pax headers (POSIX.1-2008, pax) without access and change
    times, and without the process number that GNU tar puts into their names.
    """
    name = "kubeos_tar"
    archive = Artifact(name, "kubeos.tar", is_result=True, size=Size.ROOT)
    return Stage(
        name,
        "kubeos.tar, the root tree that upgrades unpack",
        clock,
        (archive,),
        steps=(measured(tree, root_mib), tree_to(tree, archive)),
    )


def tree_tar(name: str, summary: str, tree: Sandbox, clock: Arg) -> Stage:
    """A tree as a tar that is not a result, such as a layer of a container."""
    tar = Artifact(name, "tree.tar", size=Size.ROOT)
    return Stage(name, summary, clock, (tar,), (tree_to(tree, tar),))


def tree_to(tree: Sandbox, target: Artifact) -> Step:
    """The step that writes a tree to a tar."""
    return tree.wrap(
        run(
            "tar",
            "--create",
            "--file",
            target,
            "--directory",
            tree.root,
            "--format=posix",
            "--sort=name",
            "--numeric-owner",
            "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
            "--xattrs",
            "--xattrs-include=*",
            "--acls",
            ".",
        ).growing(target, *tree.layers)
    )


def files(made: Stage) -> Step:
    """The step that prints the path of every file in kubeos.tar."""
    return run("tar", "--list", "--file", made["kubeos.tar"])


def checksum(made: Stage) -> Stage:
    """The file with the SHA-256 checksum of a stage's result, next to it."""
    (result,) = (artifact for artifact in made.artifacts if artifact.is_result)
    name = f"{made.name}_sha256"
    sums = Artifact(name, f"{result.name}.sha256", is_result=True)
    return Stage(
        name,
        f"the SHA-256 checksum of {result.name}",
        "0",
        (sums,),
        (tool("write_checksum", result).into(sums),),
    )
