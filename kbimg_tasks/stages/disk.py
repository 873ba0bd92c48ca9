"""The disk image: a partition table and the file systems in their places."""

from __future__ import annotations

from typing import Mapping

from kbimg_tasks.ids import Ids
from kbimg_tasks.partitions import Table, sfdisk_script
from kbimg_tasks.stage import Arg, Artifact, Stage, Text, run, tool


def system_img(table: Table, images: Mapping[str, Artifact], ids: Ids, clock: Arg) -> Stage:
    """system.img: the whole disk, sparse; `images` holds a file system for each label."""
    name = "system_img"
    disk = Artifact(name, "system.img", is_result=True, holds_tree=True)
    uuids = {part.label: ids.uuid(part.label) for part in table.partitions}
    script = sfdisk_script(table, ids.uuid("disk"), uuids)
    return Stage(
        name, f"system.img, the disk of {table.image_mib // 1024} GiB", clock, (disk,),
        steps=(
            run("truncate", f"--size={table.image_mib}M", disk),
            run("sfdisk", "--quiet", disk).fed(Text(script)),
            *(tool("sparse_copy", images[part.label], disk, f"--at-mib={part.start_mib}")
              for part in table.partitions),
        ),
    )  # fmt: skip


def system_qcow2(disk: Stage) -> Stage:
    """system.qcow2: the same disk for QEMU; written in order, so that two builds agree."""
    name = "system_qcow2"
    image = Artifact(name, "system.qcow2", is_result=True, holds_tree=True)
    return Stage(name, "system.qcow2, the same disk for QEMU", "0", (image,),
                 (run("qemu-img", "convert", "-f", "raw", "-O", "qcow2",
                      disk["system.img"], image),))  # fmt: skip
