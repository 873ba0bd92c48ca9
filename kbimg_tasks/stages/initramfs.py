"""The initramfs: made by the image's own dracut, once, beside the other stages."""

from __future__ import annotations

from kbimg_tasks.dracut import IDENTITY, dracut, tree_for, with_modules
from kbimg_tasks.stage import Arg, Artifact, Stage


def initramfs(rootfs: Stage, clock: Arg) -> Stage:
    """/boot/initramfs.img, for any machine, as a layer to put over the installed tree."""
    name = "initramfs"
    layer = Artifact(name, "layer", is_tree=True)
    tree = tree_for(rootfs["rootfs"], layer)
    return Stage(
        name, "the initramfs, for any machine", clock,
        artifacts=(layer,),
        steps=(
            *with_modules(tree, IDENTITY),
            dracut(tree, (IDENTITY,), "/boot/initramfs.img", rootfs, clock),
        ),
        is_shared=True,
    )  # fmt: skip
