"""A root file system, planned: out of packages, or out of an upgrade image."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from kbimg_tasks.config.model import Config
from kbimg_tasks.machine.architecture import X86_64, Architecture
from kbimg_tasks.machine.bootloader import BIOS, Loader, uefi
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Table
from kbimg_tasks.stages import (
    archive,
    contents,
    customised,
    from_image,
    initramfs,
    packages,
    signed,
)
from kbimg_tasks.stages.grub import grub
from kbimg_tasks.stages.recipes.dracut import VERITY
from kbimg_tasks.stages.recipes.signing import Keys
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Arg, Artifact, Content, Scratch, Secret, Stage, Step
from kbimg_tasks.steps.target import Target

# The command that gives an image out, where no container engine has been asked yet.
SAVING = ("docker", "save")
# A verified root is mounted by a hook of ours. systemd in the initramfs would mount the partition
# itself, as the kernel's command line names it.
WITHOUT_SYSTEMD = ("systemd", "systemd-initrd", "dracut-systemd")


@frozen
class Given:
    """What a plan depends on beside the configuration.

    `architecture` is the one that images are made for. `repomds` are the index files of
    repositories on this machine, `epoch` is SOURCE_DATE_EPOCH where the user sets it; without it,
    the newest package's build time is the clock. `locked` is a lock file of exact packages; with
    `is_offline` no repository is asked for anything. `saving` is the command by which a container
    engine gives out the upgrade image to start from, and `digest` says which image that is.
    `admin_repomds` are the indexes of the admin container's repositories, and `builder` is the
    container engine that builds it on a base image, if any is to.
    """

    architecture: Architecture = X86_64
    repomds: tuple[Path, ...] = ()
    epoch: str | None = None
    locked: Path | None = None
    is_offline: bool = False
    saving: tuple[str, ...] = SAVING
    digest: str = ""
    admin_repomds: tuple[Path, ...] = ()
    builder: str = ""


@frozen
class Root:
    """A root file system: the stages before any disk, its tree, its tar, the time it shows; the
    tree that an initramfs is made from, the stage that describes its kernel, the step that lists
    its files before it is there, the architecture of its programs, and the stages that tell what is
    in it."""

    stages: tuple[Stage, ...]
    tree: Sandbox
    tar: Stage
    clock: Arg
    system: Artifact
    kernel: Stage
    listed: Step
    architecture: Architecture
    described: tuple[Stage, ...] = ()


@frozen
class Machine:
    """A virtual machine: the stages of its disk, the sum of that disk, which takes too long to be
    part of every build, and the files of an upgrade image by their names in it.

    `order_only` stages come before everything else. `checked` are implicit inputs of all that
    leaves the output directory: they are there only when the finished images have been checked.
    """

    stages: tuple[Stage, ...]
    disk_sum: Stage
    upgrade: dict[str, Artifact]
    order_only: tuple[Stage, ...] = ()
    checked: tuple[Artifact, ...] = ()

    @property
    def upgrade_files(self) -> tuple[Stage, ...]:
        """The stages of this disk that make files of the upgrade image."""
        made = {file.stage for file in self.upgrade.values()}
        return tuple(stage for stage in self.stages if stage.name in made)


def password(config: Config) -> Secret | None:
    """The password of GRUB's menu, as a program reads it."""
    return Secret("grub.passwd", config.grub.passwd.reveal() + "\n") if config.grub else None


def loader_of(architecture: Architecture, table: Table) -> Loader:
    """GRUB of the machines that start from a disk with this table."""
    return BIOS if table.is_legacy else uefi(architecture)


def from_packages(
    config: Config, given: Given, table: Table, ids: Ids, keys: Keys | None = None
) -> Root:
    """The root file system out of packages and what the configuration puts over them. With `keys`
    it is a verified one: its boot files are signed, and what belongs on the ESP is made apart."""
    assert config.from_repo is not None
    machine = given.architecture
    firmware = "legacy BIOS" if table.is_legacy else "UEFI"
    needed = {firmware: machine.packages(legacy=table.is_legacy)}
    if keys:
        needed["dm-verity"] = machine.verity_packages
    chosen = packages.packages(
        "packages",
        machine,
        packages.Wanted(config.from_repo.rpmlist, needed=needed),
        packages.Repositories(
            config.from_repo.repo_path, given.repomds, given.locked, given.is_offline
        ),
        given.epoch,
    )
    clock: Arg = given.epoch or Content(chosen["clock"])
    rootfs = packages.rootfs(chosen, machine, clock)
    below: tuple[Artifact, ...] = (rootfs["rootfs"],)
    if keys:
        early = initramfs.initramfs(rootfs, machine, clock, (VERITY,), WITHOUT_SYSTEMD)
        boot = signed.boot_files(rootfs, early, keys, clock)
    else:
        early = initramfs.initramfs(rootfs, machine, clock)
        boot = grub(
            rootfs, loader_of(machine, table), password(config), Target(machine, table, ids, clock)
        )
        below += (boot["layer"],)
    own = customised.customised(config, machine, ids, below, clock)
    tree = Sandbox(
        root=Scratch("root"), layers=(rootfs["rootfs"], early["layer"], boot["layer"], own["layer"])
    )
    tar = archive.kubeos_tar(tree, config.disk_partition.root_mib, clock)
    told = contents.sbom(
        chosen, contents.Subject("operating-system", "KubeOS", config.from_repo.version), clock
    )
    return Root(
        (chosen, rootfs, early, boot, own),
        tree,
        tar,
        clock,
        rootfs["rootfs"],
        rootfs,
        packages.files(chosen),
        machine,
        (told,),
    )


def from_upgrade_image(config: Config, given: Given, table: Table, ids: Ids) -> Root:
    """The root file system out of an upgrade image."""
    source = config.from_dockerimg
    assert source is not None
    loader = loader_of(given.architecture, table)
    tar = from_image.kubeos_tar(
        source.upgrade_img, source.archive, given.saving, given.digest, loader
    )
    clock: Arg = given.epoch or Content(tar["clock"])
    unpacked = from_image.unpacked(tar, clock)
    menu = from_image.menu(unpacked, loader, ids, clock)
    tree = Sandbox(root=Scratch("root"), layers=(unpacked["rootfs"], menu["layer"]))
    return Root(
        (tar, unpacked, menu),
        tree,
        tar,
        clock,
        unpacked["rootfs"],
        from_image.kernel(unpacked),
        archive.files(tar),
        given.architecture,
    )
