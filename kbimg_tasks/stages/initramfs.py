"""The initramfs: made by the image's own dracut, once, beside the other stages."""

from __future__ import annotations

from kbimg_tasks.sandbox import FACTORY_AS_VAR, Sandbox, unsynced
from kbimg_tasks.stage import Arg, Artifact, Content, Data, Scratch, Stage, joined, run

MODULES = "/usr/lib/dracut/modules.d"


def initramfs(rootfs: Stage, clock: Arg) -> Stage:
    """/boot/initramfs.img, for any machine, as a layer to put over the installed tree."""
    name = "initramfs"
    layer, root = Artifact(name, "layer", is_tree=True), Scratch("root")
    tree = Sandbox(root=root, layers=(rootfs["rootfs"],), upper=layer, moves=(FACTORY_AS_VAR,))
    dracut = Sandbox(
        root=root, layers=tree.layers, upper=layer, moves=tree.moves,
        tmpfs=("/var/tmp", "/var/log"),
    ).running_in()  # fmt: skip
    return Stage(
        name, "the initramfs, for any machine", clock,
        artifacts=(layer,),
        steps=(
            tree.wrap(run("cp", "--recursive", Data("dracut/90kubeos"), joined(root, MODULES))),
            unsynced(dracut.wrap(run(
                "dracut", "--force", "--no-hostonly", "--no-hostonly-cmdline", "--reproducible",
                "--nostrip", "--no-early-microcode", "--add", "kubeos",
                joined("--compress=", Content(rootfs["compressor"])),
                "/boot/initramfs.img", Content(rootfs["kernel-version"]),
                SOURCE_DATE_EPOCH=clock, DRACUT_NO_XATTR="1"))),
        ),
        is_shared=True,
    )  # fmt: skip
