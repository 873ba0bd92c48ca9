"""The root tree from an existing upgrade image, instead of from packages."""

from __future__ import annotations

from pathlib import Path

from kbimg_tasks.machine.bootloader import Loader
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.steps.args import Arg, Artifact, Size, Unhashed, UserFile, joined, scratch
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool

ROOT_TAR = "os.tar"
TAR, DIGEST = "kubeos_tar", "image-digest"


def kubeos_tar(
    image: str | None, archive: Path | None, saving: tuple[str, ...], digest: str, loader: Loader
) -> Stage:
    """kubeos.tar, taken from the upgrade image and checked for what an image needs.

    The image comes from a file, or from a container engine, which saves it by the command `saving`
    and identifies it by `digest`. The choice of the engine makes no difference.
    """
    name = TAR
    tar = Artifact(name, "kubeos.tar", is_result=True, size=Size.ROOT)
    clock, known = Artifact(name, "clock"), Artifact(name, DIGEST)
    given_out = scratch("image.tar")
    called = (f"--name={image}",) if image else ()
    grub = (f"--grub={loader.image}", f"--menu={loader.menu}", f"--grubenv={loader.environment}")
    steps: tuple[Step, ...] = (
        tool(
            "take_from_image",
            UserFile(archive) if archive else given_out,
            tar,
            f"--file={ROOT_TAR}",
            joined("--clock=", clock),
            *grub,
            *called,
        ).using("zstd"),
    )
    if not archive:
        steps = (
            run(*map(Unhashed, saving)).into(given_out),
            *steps,
            run("echo", digest).into(known),
        )
    return Stage(
        name,
        "kubeos.tar, the root tree as the upgrade image has it",
        "0",
        (tar, clock) if archive else (tar, clock, known),
        steps,
    )


def unpacked(tar: Stage, clock: Arg) -> Stage:
    """The root tree, with the owners, modes and extended attributes of the tar."""
    name = "unpacked"
    tree = Artifact(name, "rootfs", is_tree=True, size=Size.ROOT)
    return Stage(
        name,
        "the root tree of kubeos.tar",
        clock,
        (tree,),
        steps=(
            run("mkdir", "--mode=755", tree),
            run(
                "tar",
                "--extract",
                "--file",
                tar["kubeos.tar"],
                "--directory",
                tree,
                "--numeric-owner",
                "--same-owner",
                "--preserve-permissions",
                "--xattrs",
                "--xattrs-include=*",
                "--acls",
            ),
        ),
    )


def kernel(tree: Stage) -> Stage:
    """The kernel version of the root tree, for stages that make another initramfs for it."""
    name = "kernel"
    version, compressor = Artifact(name, "kernel-version"), Artifact(name, "compressor")
    return Stage(
        name,
        "the version of the root tree's kernel",
        "0",
        (version, compressor),
        (
            tool(
                "describe_kernel",
                tree["rootfs"],
                joined("--kernel-version=", version),
                joined("--compressor=", compressor),
            ),
        ),
    )


def menu(tree: Stage, loader: Loader, ids: Ids, clock: Arg) -> Stage:
    """The layer with the grub.cfg for the slots of this disk: the upgrade image may have been made
    for partitions of other sizes, whose UUIDs differ."""
    name = "menu"
    layer, root = Artifact(name, "layer", is_tree=True), scratch("root")
    over = Sandbox(root=root, layers=(tree["rootfs"],), upper=layer)
    slots = (ids.partuuid("ROOT-A"), ids.partuuid("ROOT-B"))
    return Stage(
        name,
        "grub.cfg with the slots of this disk",
        clock,
        (layer,),
        (over.wrap(tool("name_slots", joined(root, loader.menu), *slots)),),
    )
