"""The disk image: a partition table and the file systems in their places."""

from __future__ import annotations

from collections.abc import Mapping

from kbimg_tasks.machine.bootloader import BIOS, BIOS_BOOT_SECTOR
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import SECTORS_A_MIB, Table, sfdisk_script
from kbimg_tasks.stages.recipes.ext4 import ext4, tree_below
from kbimg_tasks.stages.recipes.measure import measured
from kbimg_tasks.steps.args import Arg, Artifact, Size, Text, joined
from kbimg_tasks.steps.sandbox import Sandbox, nosync
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool


def system_img(
    table: Table,
    images: Mapping[str, Artifact],
    ids: Ids,
    clock: Arg,
    tree: Sandbox | None = None,
    checked: tuple[Artifact, ...] = (),
) -> Stage:
    """system.img: the whole disk, sparse.

    `images` has the content of each partition that is not empty; with `tree`, the file system of
    ROOT-A is made directly in the disk. `checked` exists only if the checks that the disk depends
    on have passed.
    """
    name = "system_img"
    disk = Artifact(name, "system.img", is_result=True, size=Size.ROOT)
    uuids = {part.label: ids.uuid(part.label) for part in table.partitions}
    script = sfdisk_script(table, ids.disk, uuids)
    slot = table.by_label("ROOT-A")
    return Stage(
        name,
        f"system.img, the disk of {table.image_mib // 1024} GiB with slot A filled",
        clock,
        (disk,),
        steps=(
            *((measured(tree, slot.size_mib),) if tree else ()),
            run("truncate", f"--size={table.image_mib}M", disk),
            nosync(run("sfdisk", "--quiet", disk)).fed(Text(script)),
            *((_boot_code(disk, table, tree),) if tree and table.is_legacy else ()),
            *(ext4(disk, slot, ids, clock, tree_below(tree), in_disk=True) if tree else ()),
            *(
                tool("sparse_copy", images[part.label], disk, f"--at-mib={part.start_mib}")
                for part in table.partitions
                if part.label in images
            ),
        ),
        implicit_inputs=checked,
    )


def _boot_code(disk: Artifact, table: Table, tree: Sandbox) -> Step:
    """The steps that write the boot code for a BIOS to the first sector and the gap before the
    first partition."""
    gap = table.partitions[0].start_mib * SECTORS_A_MIB - 1
    return tree.wrap(
        tool(
            "place_boot_code",
            disk,
            joined(tree.root, BIOS_BOOT_SECTOR),
            joined(tree.root, BIOS.image),
            f"--gap-sectors={gap}",
        )
    )


def system_qcow2(disk: Stage) -> Stage:
    """system.qcow2: the same disk for QEMU; written in order, so that all builds give the same
    bytes."""
    name = "system_qcow2"
    image = Artifact(name, "system.qcow2", is_result=True, size=Size.ROOT)
    return Stage(
        name,
        "system.qcow2, the same disk in QEMU's format",
        "0",
        (image,),
        (
            run(
                "qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk["system.img"], image
            ).growing(image, disk["system.img"]),
        ),
    )
