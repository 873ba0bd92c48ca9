"""Plans the system that most kinds of images contain: its root file system and its disk."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.config.model import Config
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Table, plan_table
from kbimg_tasks.plan import verified
from kbimg_tasks.plan.root import Given, MachinePlan, Root, from_packages, from_upgrade_image
from kbimg_tasks.stages import archive, disk, filesystems, from_image
from kbimg_tasks.steps.args import Artifact
from kbimg_tasks.steps.stage import Stage


@frozen
class System:
    """A root file system with the stages of its tar, its virtual machine, and the partition table
    and identifiers of that machine's disk."""

    root: Root
    tar: tuple[Stage, ...]
    machine: MachinePlan
    table: Table
    ids: Ids

    @classmethod
    def of(cls, config: Config, given: Given) -> System | None:
        """The system that a configuration describes; None without [from_repo] and
        [from_dockerimg]."""
        if not (config.from_repo or config.from_dockerimg):
            return None
        table = disk_table(config)
        ids = Ids.of(table)
        if config.dm_verity:
            root, machine = verified.planned(config, config.dm_verity, given, table, ids)
        else:
            make_root = from_packages if config.from_repo else from_upgrade_image
            root = make_root(config, given, table, ids)
            machine = virtual_machine(config, root, table, ids)
        return cls(root, (root.tar, archive.checksum(root.tar)), machine, table, ids)


def disk_table(config: Config) -> Table:
    """The partition table of a configuration's disk."""
    sizes = config.disk_partition
    return plan_table(
        sizes.root_mib, sizes.image_gib, legacy=config.is_legacy, verity=bool(config.dm_verity)
    )


def virtual_machine(config: Config, root: Root, table: Table, ids: Ids) -> MachinePlan:
    """The disk with its file systems, and the files of an upgrade image."""
    clock = root.clock
    first = table.partitions[0]
    boot = (filesystems.grub2 if table.is_legacy else filesystems.esp)(root.tree, first, ids, clock)
    root_b = filesystems.root_b(table.by_label("ROOT-B"), ids, clock)
    persist = filesystems.persist(table.by_label("PERSIST"), config.persist_mkdir.name, ids, clock)
    images: dict[str, Artifact] = {
        first.label: boot.artifacts[0],
        "ROOT-B": root_b["root-b.img"],
        "PERSIST": persist["persist.img"],
    }
    img = disk.system_img(table, images, ids, clock, root.tree)
    qcow2 = disk.system_qcow2(img)
    return MachinePlan(
        (boot, root_b, persist, img, qcow2, archive.checksum(qcow2)),
        archive.checksum(img),
        {from_image.ROOT_TAR: root.tar["kubeos.tar"]},
    )
