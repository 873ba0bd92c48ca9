"""Plans a root file system, from packages or from an upgrade image."""

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
from kbimg_tasks.steps.args import Arg, Artifact, Content, Secret, scratch
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step
from kbimg_tasks.steps.target import Target

# The command that saves an image, if no container engine has been asked yet.
SAVING = ("docker", "save")
# kbimg's own hook mounts a verified root. systemd in the initramfs would mount the partition
# itself, because the kernel's command line names it.
WITHOUT_SYSTEMD = ("systemd", "systemd-initrd", "dracut-systemd")


@frozen
class Given:
    """The inputs of a plan other than the configuration.

    `architecture` is that of the images. `repomds` are the index files of repositories on this
    machine. `epoch` is SOURCE_DATE_EPOCH, if set; without it, the clock is the build time of the
    newest package. `locked` is a lock file of exact packages. With `is_offline`, no repository is
    contacted. `saving` is the command that saves the source upgrade image from a container engine,
    and `digest` identifies that image. `admin_repomds` are the indexes of the admin container's
    repositories, and `builder` is the container engine that builds it on a base image, if any.
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
    """A root file system: its stages, its tree, its tar and its clock; the tree that an initramfs
    is made from, the stage that describes its kernel, the step that lists its files before it
    exists, the architecture of its programs, and the stages that describe its contents."""

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
class MachinePlan:
    """A virtual machine: the stages of its disk, the stage of that disk's checksum, which takes too
    long for every build, and the files of an upgrade image by their names in it.

    `order_only` stages run before all others. `checked` are implicit inputs of all final images:
    they exist only if the checks of the finished parts have passed.
    """

    stages: tuple[Stage, ...]
    disk_sum: Stage
    upgrade: dict[str, Artifact]
    order_only: tuple[Stage, ...] = ()
    checked: tuple[Artifact, ...] = ()

    @property
    def upgrade_files(self) -> tuple[Stage, ...]:
        """The stages of this disk that make the files of the upgrade image."""
        made = {file.stage for file in self.upgrade.values()}
        return tuple(stage for stage in self.stages if stage.name in made)


def password(config: Config) -> Secret | None:
    """The password of GRUB's menu, as input of a program."""
    return Secret("grub.passwd", config.grub.passwd.reveal() + "\n") if config.grub else None


def loader_of(architecture: Architecture, table: Table) -> Loader:
    """The boot loader of machines that boot from a disk with this table."""
    return BIOS if table.is_legacy else uefi(architecture)


def from_packages(
    config: Config, given: Given, table: Table, ids: Ids, keys: Keys | None = None
) -> Root:
    """The root file system from packages and the configuration's additions. With `keys` it is a
    verified one: its boot files are signed, and separate stages make the files of the ESP."""
    assert config.from_repo is not None
    machine = given.architecture
    firmware = "legacy BIOS" if table.is_legacy else "UEFI"
    needed = {firmware: machine.packages(legacy=table.is_legacy)}
    if keys:
        needed["dm-verity"] = machine.verity_packages
    chosen = packages.packages(
        "packages",
        machine,
        packages.Wanted(config.from_repo.rpmlist, needed=needed, asked_by=("from_repo", "rpmlist")),
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
        root=scratch("root"), layers=(rootfs["rootfs"], early["layer"], boot["layer"], own["layer"])
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
    """The root file system from an upgrade image."""
    source = config.from_dockerimg
    assert source is not None
    loader = loader_of(given.architecture, table)
    tar = from_image.kubeos_tar(
        source.upgrade_img, source.archive, given.saving, given.digest, loader
    )
    clock: Arg = given.epoch or Content(tar["clock"])
    unpacked = from_image.unpacked(tar, clock)
    menu = from_image.menu(unpacked, loader, ids, clock)
    tree = Sandbox(root=scratch("root"), layers=(unpacked["rootfs"], menu["layer"]))
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
