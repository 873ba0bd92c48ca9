"""The configuration as values: one class a table of kbimg.toml, one attribute an option.

An attribute's metadata says its rule, its name in the file where that differs, other names that are
taken too, and what kind of file it names, if any: that is all that reading it needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

import attrs
from attrs import evolve, field, frozen

from kbimg_tasks.config import values
from kbimg_tasks.config.document import Document
from kbimg_tasks.config.errors import ERROR, Problem
from kbimg_tasks.config.rules import Rule, boolean, list_of, number
from kbimg_tasks.config.secret import Secret
from kbimg_tasks.config.shown import Option
from kbimg_tasks.partitions import DEFAULT_ROOT_MIB

__all__ = ["Config", "Secret"]
DEFAULT_IMAGE_GIB = 20
SMALLEST_ROOT_MIB = 256
LARGEST_MIB = 1 << 24  # 16 TiB, the largest file that ext4 holds
# A certificate lasts as long as the nodes that trust it: its end keeps new versions from being
# signed, and another one must be brought to every machine's firmware by hand.
CERT_YEARS, LONGEST_CERT_YEARS = 20, 100
FROM_PACKAGES = ("vm_img", "pxe_img", "upgrade_img")


def option(rule: Rule, default: Any = attrs.NOTHING, *, key: str = "", also: Tuple[str, ...] = (),
           secret: bool = False, file: str = "",
           for_images: Tuple[str, ...] = ()) -> Any:  # fmt: skip
    """An option of a table.

    `key` is its name in the file, `also` are other spellings; a `secret` one is never shown. One
    with `file` names a "file", a "directory", "any" of both, or a "program" for the image's
    machine, as an "agent" also a script, which must exist when one of `for_images` is built.
    """
    return field(default=default, metadata={
        "rule": rule, "names": (key, *also), "secret": secret, "file": file,
        "for_images": for_images})


def names(attribute: Any) -> Tuple[str, ...]:
    """What an option is called in the file: its own name first, then other spellings."""
    key, *also = attribute.metadata["names"]
    return (key or attribute.name, *also)


@frozen
class FromRepo:
    """[from_repo]: an image out of packages."""

    agent_path: Path = option(values.host_path, file="agent", for_images=FROM_PACKAGES)
    repo_path: Path = option(values.host_path, file="file", for_images=FROM_PACKAGES)
    root_passwd: Secret = option(values.shadow, secret=True)
    version: str = option(values.version)
    rpmlist: Tuple[str, ...] = option(list_of(values.package, "package names", at_least=1))
    legacy_bios: bool = option(boolean, False)
    upgrade_img: Optional[str] = option(values.new_image_name, None)


@frozen
class FromDockerimg:
    """[from_dockerimg]: an image out of an upgrade image, by its name in the container engine or
    out of an archive of it; with both, by its name in the archive."""

    upgrade_img: Optional[str] = option(values.image_name, None)
    archive: Optional[Path] = option(values.host_path, None, file="file",
                                     for_images=("vm_img", "pxe_img"))  # fmt: skip
    legacy_bios: bool = option(boolean, False)


@frozen
class AdminContainer:
    """[admin_container]: the container from which operators reach a node; built on `base_image`
    by a container engine, or out of the packages of `repo_path`."""

    img_name: str = option(values.new_image_name)
    hostshell: Path = option(values.host_path, file="program", for_images=("admin_container",))
    repo_path: Optional[Path] = option(values.host_path, None, file="file",
                                       for_images=("admin_container",))  # fmt: skip
    base_image: Optional[str] = option(values.image_name, None)


@frozen
class PxeConfig:
    """[pxe_config]: what the machine to be installed is told."""

    server_ip: str = option(values.ipv4)
    rootfs_name: str = option(values.file_name)
    disk: str = option(values.disk)
    route_ip: str = option(values.ipv4)
    dhcp: bool = option(boolean, False)
    local_ip: Optional[str] = option(values.ipv4, None)
    net_name: Optional[str] = option(values.interface, None)
    netmask: Optional[str] = option(values.netmask, None)


@frozen
class User:
    """[[users]]; without a primary group, the user's own."""

    name: str = option(values.user_name)
    passwd: Secret = option(values.password, secret=True)
    primary_group: Optional[str] = option(values.group_name, None, also=("primary_groups",))
    groups: Tuple[str, ...] = option(list_of(values.group_name, "group names"), ())


@frozen
class CopyFile:
    """[[copy_files]]; `mode` and `owner` are the source's less 022, and root, when None."""

    dst: str = option(values.tree_path)
    src: Path = option(values.host_path, file="any", for_images=FROM_PACKAGES)
    create_dir: Optional[str] = option(values.tree_path, None)
    mode: Optional[int] = option(values.file_mode, None)
    owner: Optional[str] = option(values.owner, None)


@frozen
class Grub:
    """[grub]: the password without which the boot menu cannot be edited."""

    passwd: Secret = option(values.password, secret=True)


@frozen
class SystemdService:
    """[systemd_service]: units that start at boot, with or without their suffix."""

    name: Tuple[str, ...] = option(list_of(values.service, "names of systemd units"), ())


@frozen
class ChrootScript:
    """[chroot_script]: run in the tree when all else is in it, and removed with `rm`."""

    path: Path = option(values.host_path, file="file", for_images=FROM_PACKAGES)
    rm: bool = option(boolean, False)


@frozen
class DiskPartition:
    """[disk_partition]: MiB of each root slot, GiB of the disk."""

    root_mib: int = option(
        number(SMALLEST_ROOT_MIB, LARGEST_MIB, "MiB"), DEFAULT_ROOT_MIB, key="root")
    image_gib: int = option(
        number(1, LARGEST_MIB >> 10, "GiB"), DEFAULT_IMAGE_GIB, key="img_size")


@frozen
class PersistMkdir:
    """[persist_mkdir]: directories to make on PERSIST, relative to it."""

    name: Tuple[str, ...] = option(list_of(values.persist_name, "directory names"), ())


@frozen
class DmVerity:
    """[dm_verity]: passphrases of the Secure Boot and OpenPGP keys, and keys to reuse; or else how
    long the certificate of new ones lasts."""

    efi_key: Secret = option(values.password, secret=True)
    grub_key: Secret = option(values.password, secret=True)
    keys_dir: Optional[Path] = option(values.host_path, None, file="directory",
                                      for_images=("vm_img", "upgrade_img"))  # fmt: skip
    cert_years: int = option(number(1, LONGEST_CERT_YEARS, "years"), CERT_YEARS)


@frozen
class Config:
    """A whole kbimg.toml. Paths are absolute."""

    path: Path
    from_repo: Optional[FromRepo] = None
    from_dockerimg: Optional[FromDockerimg] = None
    admin_container: Optional[AdminContainer] = None
    pxe_config: Optional[PxeConfig] = None
    users: Tuple[User, ...] = ()
    copy_files: Tuple[CopyFile, ...] = ()
    grub: Optional[Grub] = None
    systemd_service: SystemdService = SystemdService()
    chroot_script: Optional[ChrootScript] = None
    disk_partition: DiskPartition = DiskPartition()
    persist_mkdir: PersistMkdir = PersistMkdir()
    dm_verity: Optional[DmVerity] = None
    document: Document = field(default=Document(), eq=False, repr=False)

    @property
    def is_legacy(self) -> bool:
        """Whether a BIOS is to start the image, and not UEFI."""
        return any(source is not None and source.legacy_bios
                   for source in (self.from_repo, self.from_dockerimg))

    def for_uefi(self) -> Config:
        """The same with UEFI in place of a BIOS."""
        repo, image = self.from_repo, self.from_dockerimg
        return evolve(self, from_repo=repo and evolve(repo, legacy_bios=False),
                      from_dockerimg=image and evolve(image, legacy_bios=False))

    def problem(self, option: Option, message: str, severity: str = ERROR) -> Problem:
        """What is wrong with an option or table, as ("grub", "passwd")."""
        return self.document.problem(option, message, severity=severity)

    def where(self, option: str) -> str:
        """Where an option stands: `kbimg.toml:31` for `copy_files[0].dst`."""
        return self.document.where(option)


TABLES: Mapping[str, type] = {
    "from_repo": FromRepo, "from_dockerimg": FromDockerimg, "admin_container": AdminContainer,
    "pxe_config": PxeConfig, "grub": Grub, "systemd_service": SystemdService,
    "chroot_script": ChrootScript, "disk_partition": DiskPartition,
    "persist_mkdir": PersistMkdir, "dm_verity": DmVerity,
}  # fmt: skip
ARRAYS: Mapping[str, type] = {"users": User, "copy_files": CopyFile}
