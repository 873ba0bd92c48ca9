"""The initramfs: made by the image's own dracut, once, beside the other stages."""

from __future__ import annotations

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.stages.recipes.dracut import IDENTITY, dracut, tree_for, with_modules
from kbimg_tasks.steps.stage import Arg, Artifact, Stage


def initramfs(
    rootfs: Stage,
    architecture: Architecture,
    clock: Arg,
    more: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
) -> Stage:
    """/boot/initramfs.img, for any machine, as a layer to put over the installed tree.

    `more` are modules of ours besides the one that every image has, `without` are some of dracut's.
    """
    name = "initramfs"
    layer = Artifact(name, "layer", is_tree=True)
    tree, modules = tree_for(rootfs["rootfs"], layer), (IDENTITY, *more)
    return Stage(
        name,
        "the initramfs, for any machine",
        clock,
        artifacts=(layer,),
        steps=(
            *with_modules(tree, *modules),
            dracut(
                tree, architecture, modules, "/boot/initramfs.img", rootfs, clock, without=without
            ),
        ),
        is_shared=True,
    )
