"""The initramfs, made by the image's own dracut."""

from __future__ import annotations

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.stages.recipes.dracut import IDENTITY, dracut, ready, tree_for, with_modules
from kbimg_tasks.steps.args import Arg, Artifact
from kbimg_tasks.steps.stage import Stage


def initramfs(
    rootfs: Stage,
    architecture: Architecture,
    clock: Arg,
    more: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
) -> Stage:
    """The layer with /boot/initramfs.img, for any machine, over the installed tree.

    `more` are further modules of kbimg in addition to the one that every image has; `without` are
    modules of dracut to leave out.
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
                ready(tree, architecture), modules, "/boot/initramfs.img", rootfs, clock, without
            ),
        ),
        is_shared=True,
    )
