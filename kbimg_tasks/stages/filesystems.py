"""File systems, made as files without loop devices, mounts or drivers of the host's kernel."""

from __future__ import annotations

from pathlib import PurePosixPath

from attrs import evolve

from kbimg_tasks.machine.bootloader import BIOS_FOLDER
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Partition
from kbimg_tasks.stages.recipes.ext4 import Filling, ext4, tree_below
from kbimg_tasks.stages.recipes.measure import measured
from kbimg_tasks.steps.args import Arg, Artifact, Size, joined, scratch
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool

# Labels of file systems that can be written to either slot.
BOOT, ROOT = "BOOT", "ROOT"
# The folders that the units and os-agent expect.
PERSIST_FOLDERS = ("var", "etc", "etcwork", "opt", "optwork", "etc/KubeOS/certs")


def esp(tree: Sandbox, partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """The EFI system partition: FAT, with everything below /boot/efi of the tree."""
    image = Artifact("esp", "esp.img", size=Size.LARGE)
    return Stage(
        "esp",
        f"the ESP, {partition.size_mib} MiB of FAT",
        clock,
        (image,),
        _fat(image, partition, tree, joined(tree.root, "/boot/efi"), ids, clock),
    )


def grub2(tree: Sandbox, partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """GRUB's partition for legacy BIOS: ext4, with everything below /boot/grub2 of the tree."""
    image = Artifact("grub2", "grub2.img", size=Size.LARGE)
    return Stage(
        "grub2",
        f"GRUB's partition, {partition.size_mib} MiB of ext4",
        clock,
        (image,),
        tuple(ext4(image, partition, ids, clock, tree_below(tree, BIOS_FOLDER))),
    )


def boot_image(layers: tuple[Artifact, ...], partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """The boot partition of a verified slot, the same for both slots: FAT with the content of the
    layers."""
    image = Artifact("boot_image", "update-boot.img", is_result=True, size=Size.LARGE)
    tree = Sandbox(root=scratch("root"), layers=layers)
    either = evolve(partition, label=BOOT)
    return Stage(
        "boot_image",
        "update-boot.img, the boot partition of a slot",
        clock,
        (image,),
        _fat(image, either, tree, tree.root, ids, clock),
    )


def _fat(
    image: Artifact, partition: Partition, tree: Sandbox, top: Arg, ids: Ids, clock: Arg
) -> tuple[Step, ...]:
    kib = str(partition.size_mib * 1024)
    return (
        run(
            "mkfs.vfat",
            "--invariant",
            "-i",
            ids.fat_volume(partition.label),
            "-n",
            partition.label,
            "-C",
            image,
            kib,
            SOURCE_DATE_EPOCH=clock,
        ),
        tree.wrap(tool("fill_fat", image, top, SOURCE_DATE_EPOCH=clock).using("mmd", "mcopy")),
    )


def root_image(tree: Sandbox, partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """The root file system of a verified slot, the same for both slots, as a file of the
    partition's size."""
    image = Artifact("root_image", "update-root.img", is_result=True, size=Size.ROOT)
    return Stage(
        "root_image",
        f"update-root.img, {partition.size_mib} MiB of root file system",
        clock,
        (image,),
        steps=(
            measured(tree, partition.size_mib),
            *ext4(image, evolve(partition, label=ROOT), ids, clock, tree_below(tree)),
        ),
    )


def root_b(partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """Slot B: empty until the first upgrade."""
    name = "root_b"
    image = Artifact(name, "root-b.img", size=Size.LARGE)
    return Stage(
        name,
        f"slot B, {partition.size_mib} MiB of empty ext4",
        clock,
        (image,),
        tuple(ext4(image, partition, ids, clock)),
    )


def persist(partition: Partition, folders: tuple[str, ...], ids: Ids, clock: Arg) -> Stage:
    """PERSIST: the folders that the units mount, and the user's `persist_mkdir`."""
    name = "persist"
    image, top = Artifact(name, "persist.img", size=Size.LARGE), scratch("tree")
    parents = {
        str(above)
        for folder in (*PERSIST_FOLDERS, *folders)
        for above in (PurePosixPath(folder), *PurePosixPath(folder).parents)
    }
    paths = [joined(top, "/", folder) for folder in sorted(parents)]
    return Stage(
        name,
        f"PERSIST, {partition.size_mib} MiB of ext4 with its folders",
        clock,
        (image,),
        steps=(
            run("mkdir", "--parents", *paths),
            run("touch", joined("--date=@", clock), *paths),
            *ext4(image, partition, ids, clock, Filling(top)),
        ),
    )
