"""The arrows: which stage stands on which. Pure: no disk, no clock, no process."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Dict, Iterable, Optional, Tuple

from attrs import frozen

from kbimg_tasks.config.model import AdminContainer, Config, PxeConfig
from kbimg_tasks.ids import Ids
from kbimg_tasks.partitions import Table, plan_table
from kbimg_tasks.sandbox import Sandbox
from kbimg_tasks.stage import Arg, Artifact, Content, Scratch, Secret, Stage, Step
from kbimg_tasks.stages import (
    admin_container,
    archive,
    container,
    customised,
    disk,
    filesystems,
    from_image,
    initramfs,
    packages,
    pxe,
)
from kbimg_tasks.stages.grub import grub

# What the images themselves need beside the user's packages.
PACKAGES_UEFI = ("grub2-efi", "grub2-tools", "grub2-efi-x64-modules", "grub2-pc-modules")
# The command that gives an image out, where no container engine has been asked yet.
SAVING = ("docker", "save")
# The base image that the existing tool takes.
ADMIN_BASE = "openeuler/openeuler:24.03-lts"
LEGACY_MACHINES = ("x86_64",)


@frozen
class Container:
    """A container image's name, and the stage that writes its archive."""

    name: str
    stage: Stage


@frozen
class Plan:
    """The stages in build order, which of them each image's results come from, which images are
    container images, and which stages only check: nothing else of their image is made before."""

    stages: Tuple[Stage, ...]
    images: Dict[str, Tuple[Stage, ...]]
    containers: Dict[str, Container]
    checks: Dict[str, Tuple[Stage, ...]]

    def standing_under(self, names: Iterable[str]) -> Tuple[Stage, ...]:
        """The stages that these images or stages are made from, themselves included."""
        wanted = set(names)
        wanted |= {stage.name for name in wanted for stage in self.images.get(name, ())}
        for stage in reversed(self.stages):
            if stage.name in wanted:
                wanted |= {need.stage for need in stage.needs()}
        return tuple(stage for stage in self.stages if stage.name in wanted)

    def checked_first(self, names: Iterable[str]) -> Dict[str, Tuple[str, ...]]:
        """For each stage of these images the checks to pass before it is made."""
        checks = [stage.name for name in names for stage in self.checks.get(name, ())]
        before = self.standing_under(checks)
        return {stage.name: tuple(checks) for stage in self.stages if stage not in before}


@frozen
class Given:
    """What a plan depends on beside the configuration.

    `repomds` are the index files of repositories on this machine, `epoch` is SOURCE_DATE_EPOCH
    where the user sets it; without it, the newest package's build time is the clock. `locked` is a
    lock file of exact packages; with `is_offline` no repository is asked for anything. `saving` is
    the command by which a container engine gives out the upgrade image to start from, and `digest`
    says which image that is. `admin_repomds` are the indexes of the admin container's repositories,
    and `builder` is the container engine that builds it on a base image, if any is to.
    """

    repomds: Tuple[Path, ...] = ()
    epoch: Optional[str] = None
    locked: Optional[Path] = None
    is_offline: bool = False
    saving: Tuple[str, ...] = SAVING
    digest: str = ""
    admin_repomds: Tuple[Path, ...] = ()
    builder: str = ""


@frozen
class Root:
    """A root file system: the stages before any disk, its tree, its tar, the time it shows; the
    tree that an initramfs is made from, the stage that describes its kernel, and the step that
    lists its files before it is there."""

    stages: Tuple[Stage, ...]
    tree: Sandbox
    tar: Stage
    clock: Arg
    system: Artifact
    kernel: Stage
    listed: Step


def unsupported(config: Config, machine: str = platform.machine()) -> Tuple[str, ...]:
    """What a configuration asks for that cannot be planned: it must not be left out."""
    legacy = tuple(f"{table}.legacy_bios" for table in ("from_repo", "from_dockerimg")
                   if getattr(getattr(config, table), "legacy_bios", False))
    if legacy and machine not in LEGACY_MACHINES:
        return tuple(f"{config.where(option)}: {option}: expected false on {machine}, which has no "
                     "legacy BIOS, found true" for option in legacy)  # fmt: skip
    asked = (*(("dm_verity",) if config.dm_verity else ()), *legacy)
    return tuple(f"{config.where(option)}: {option}: this version of kbimg cannot build it yet"
                 for option in asked)  # fmt: skip


def plan(config: Config, given: Given = Given()) -> Plan:
    """Everything that a configuration can be made into."""
    stages: Tuple[Stage, ...] = ()
    images: Dict[str, Tuple[Stage, ...]] = {}
    containers: Dict[str, Container] = {}
    checks: Dict[str, Tuple[Stage, ...]] = {}
    if config.from_repo or config.from_dockerimg:
        sizes = config.disk_partition
        table = plan_table(sizes.root_mib, sizes.image_gib)
        ids = Ids.of(table)
        root = (from_packages(config, given, table, ids) if config.from_repo
                else from_upgrade_image(config, given, ids))
        disks, disk_sum = virtual_machine(config, root, table, ids)
        tar_sum = archive.checksum(root.tar)
        stages += tuple(dict.fromkeys((*root.stages, *disks, root.tar, tar_sum, disk_sum)))
        images["vm_img"] = tuple(stage for stage in (*disks, root.tar, tar_sum)
                                 if any(artifact.is_result for artifact in stage.artifacts))
        if config.pxe_config:
            checked, made = installer(config, config.pxe_config, root, table, ids)
            stages = tuple(dict.fromkeys((*stages, checked, root.kernel, *made)))
            checks["pxe_img"] = (checked,)
            images["pxe_img"] = (*made, root.tar, tar_sum)
        if config.from_repo and config.from_repo.upgrade_img:
            upgrade = container.archive(
                "upgrade_archive", "upgrade_img.tar",
                "upgrade_img.tar, the container image that nodes upgrade from",
                config.from_repo.upgrade_img,
                (container.file(root.tar["kubeos.tar"], from_image.ROOT_TAR),), root.clock)
            stages += (upgrade,)
            images["upgrade_img"] = (upgrade, root.tar, tar_sum)
            containers["upgrade_img"] = Container(config.from_repo.upgrade_img, upgrade)
    if config.admin_container:
        made = admin(config.admin_container, config, given)
        stages += made
        images["admin_container"] = made[-1:]
        containers["admin_container"] = Container(config.admin_container.img_name, made[-1])
    return Plan(stages, images, containers, checks)


def admin(asked: AdminContainer, config: Config, given: Given) -> Tuple[Stage, ...]:
    """The admin container, its archive last."""
    repo = admin_repository(config)
    if given.builder or repo is None:
        return (admin_container.built_on(asked.base_image or ADMIN_BASE, asked.img_name,
                                         asked.hostshell, given.builder or SAVING[0]),)  # fmt: skip
    chosen = packages.packages(
        "admin_packages", repo, admin_container.PACKAGES, given.admin_repomds, given.epoch,
        is_offline=given.is_offline, first_of=admin_container.INITS)  # fmt: skip
    clock: Arg = given.epoch or Content(chosen["clock"])
    rootfs = packages.container_rootfs("admin_rootfs", chosen, clock)
    own = admin_container.customised(rootfs, asked.hostshell, clock)
    tree = Sandbox(root=Scratch("root"), layers=(rootfs["rootfs"], own["layer"]))
    tar = archive.tree_tar("admin_tar", "the admin container's tree as one layer", tree, clock)
    archived = container.archive(
        admin_container.ARCHIVE, admin_container.RESULT,
        f"{admin_container.RESULT}, the container that operators log in to", asked.img_name,
        (container.layer(tar["tree.tar"]),), clock, admin_container.SETTINGS)
    return (chosen, rootfs, own, tar, archived)


def admin_repository(config: Config) -> Optional[Path]:
    """The repository file that the admin container's packages come from."""
    if config.admin_container and config.admin_container.repo_path:
        return config.admin_container.repo_path
    return config.from_repo.repo_path if config.from_repo else None


def from_packages(config: Config, given: Given, table: Table, ids: Ids) -> Root:
    """The root file system out of packages and what the configuration puts over them."""
    assert config.from_repo is not None
    password = Secret("grub.passwd", config.grub.passwd.reveal() + "\n") if config.grub else None
    chosen = packages.packages(
        "packages", config.from_repo.repo_path, (*config.from_repo.rpmlist, *PACKAGES_UEFI),
        given.repomds, given.epoch, given.locked, given.is_offline)
    clock: Arg = given.epoch or Content(chosen["clock"])
    rootfs = packages.rootfs(chosen, clock)
    early = initramfs.initramfs(rootfs, clock)
    boot = grub(rootfs, table, ids, password, clock)
    own = customised.customised(config, ids, (rootfs["rootfs"], boot["layer"]), clock)
    tree = Sandbox(
        root=Scratch("root"),
        layers=(rootfs["rootfs"], boot["layer"], early["layer"], own["layer"]))
    tar = archive.kubeos_tar(tree, config.disk_partition.root_mib, clock)
    return Root((chosen, rootfs, boot, early, own), tree, tar, clock, rootfs["rootfs"], rootfs,
                packages.files(chosen))


def from_upgrade_image(config: Config, given: Given, ids: Ids) -> Root:
    """The root file system out of an upgrade image."""
    source = config.from_dockerimg
    assert source is not None
    tar = from_image.kubeos_tar(source.upgrade_img, source.archive, given.saving,
                                given.digest)
    clock: Arg = given.epoch or Content(tar["clock"])
    unpacked = from_image.unpacked(tar, clock)
    menu = from_image.menu(unpacked, ids, clock)
    tree = Sandbox(root=Scratch("root"), layers=(unpacked["rootfs"], menu["layer"]))
    return Root((tar, unpacked, menu), tree, tar, clock, unpacked["rootfs"],
                from_image.kernel(unpacked), archive.files(tar))


def installer(config: Config, asked: PxeConfig, root: Root, table: Table,
              ids: Ids) -> Tuple[Stage, Tuple[Stage, ...]]:  # fmt: skip
    """What a bare machine starts to install the root file system by itself, behind its check."""
    lacking = ("add {package} to from_repo.rpmlist" if config.from_repo else
               "build the upgrade image with {package} in from_repo.rpmlist")
    checked = pxe.programs(root.listed, asked, lacking)
    folders = (*filesystems.PERSIST_FOLDERS, *config.persist_mkdir.name)
    return checked, (pxe.kernel(root.system), pxe.initramfs(
        root.system, root.kernel, asked, table, ids, folders, root.clock))


def virtual_machine(config: Config, root: Root, table: Table,
                    ids: Ids) -> Tuple[Tuple[Stage, ...], Stage]:  # fmt: skip
    """The disk with what is on it, and the sum of the disk: of 20 GiB, which takes too long to be
    part of every build."""
    clock = root.clock
    esp = filesystems.esp(root.tree, table.by_label("BOOT"), ids, clock)
    root_b = filesystems.root_b(table.by_label("ROOT-B"), ids, clock)
    persist = filesystems.persist(
        table.by_label("PERSIST"), config.persist_mkdir.name, ids, clock)
    images: Dict[str, Artifact] = {
        "BOOT": esp["esp.img"], "ROOT-B": root_b["root-b.img"],
        "PERSIST": persist["persist.img"],
    }  # fmt: skip
    img = disk.system_img(root.tree, table, images, ids, clock)
    qcow2 = disk.system_qcow2(img)
    return (esp, root_b, persist, img, qcow2, archive.checksum(qcow2)), archive.checksum(img)

