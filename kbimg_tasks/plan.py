"""The arrows: which stage stands on which. Pure: no disk, no clock, no process."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional, Tuple

from attrs import frozen

from kbimg_tasks.config.model import Config
from kbimg_tasks.ids import Ids
from kbimg_tasks.partitions import plan_table
from kbimg_tasks.sandbox import Sandbox
from kbimg_tasks.stage import Arg, Content, Scratch, Secret, Stage
from kbimg_tasks.stages import archive, customised, disk, filesystems, initramfs, packages
from kbimg_tasks.stages.grub import grub

# What the images themselves need beside the user's packages.
PACKAGES_UEFI = ("grub2-efi", "grub2-tools", "grub2-efi-x64-modules", "grub2-pc-modules")


@frozen
class Plan:
    """The stages in build order, and which of them each image's results come from."""

    stages: Tuple[Stage, ...]
    images: Dict[str, Tuple[Stage, ...]]
    on_request: Tuple[Stage, ...]


def unsupported(config: Config) -> Tuple[str, ...]:
    """What a configuration asks for that cannot be planned yet: it must not be left out."""
    asked = {
        "dm_verity": config.dm_verity is not None,
        "from_dockerimg": config.from_dockerimg is not None,
        "from_repo.legacy_bios": bool(config.from_repo and config.from_repo.legacy_bios),
    }
    return tuple(f"{config.where(option)}: {option}: this version of kbimg cannot build it yet"
                 for option, is_asked in asked.items() if is_asked)


def plan(config: Config, repomds: Tuple[Path, ...] = (), epoch: Optional[str] = None,
         locked: Optional[Path] = None, is_offline: bool = False) -> Plan:  # fmt: skip
    """Everything that a configuration can be made into.

    `repomds` are the index files of repositories on this machine, `epoch` is SOURCE_DATE_EPOCH
    where the user sets it; without it, the newest package's build time is the clock. `locked` is a
    lock file of exact packages; with `is_offline` no repository is asked for anything.
    """
    assert config.from_repo is not None
    sizes = config.disk_partition
    table = plan_table(sizes.root_mib, sizes.image_gib)
    ids = Ids.of(table)
    password = Secret("grub.passwd", config.grub.passwd.reveal() + "\n") if config.grub else None

    chosen = packages.packages(
        config.from_repo, PACKAGES_UEFI, repomds, epoch, locked, is_offline)
    clock: Arg = epoch or Content(chosen["clock"])
    rootfs = packages.rootfs(chosen, clock)
    early = initramfs.initramfs(rootfs, clock)
    boot = grub(rootfs, table, ids, password, clock)
    own = customised.customised(config, ids, (rootfs["rootfs"], boot["layer"]), clock)
    tree = Sandbox(
        root=Scratch("root"),
        layers=(rootfs["rootfs"], boot["layer"], early["layer"], own["layer"]))

    tar = archive.kubeos_tar(tree, sizes.root_mib, clock)
    esp = filesystems.esp(tree, table.by_label("BOOT"), ids, clock)
    root_b = filesystems.root_b(table.by_label("ROOT-B"), ids, clock)
    persist = filesystems.persist(
        table.by_label("PERSIST"), config.persist_mkdir.name, ids, clock)
    images = {
        "BOOT": esp["esp.img"], "ROOT-B": root_b["root-b.img"],
        "PERSIST": persist["persist.img"],
    }  # fmt: skip
    img = disk.system_img(tree, table, images, ids, clock)
    qcow2 = disk.system_qcow2(img)
    sums = tuple(archive.checksum(made) for made in (tar, qcow2))
    disk_sum = archive.checksum(img)  # of 20 GiB, which takes too long to be part of every build
    return Plan(
        stages=(chosen, rootfs, boot, early, own, esp, root_b, persist, img, qcow2, tar,
                *sums, disk_sum),
        images={"vm_img": (img, qcow2, tar, *sums)},
        on_request=(disk_sum,),
    )  # fmt: skip
