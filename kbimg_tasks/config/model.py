"""The configuration as values: one class a table of kbimg.toml, one attribute an option.

An attribute's metadata says its rule, its name in the file where that differs, other names that are
taken too, and what kind of file it names, if any: that is all that reading it needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Tuple

import attrs
from attrs import field, frozen

from kbimg_tasks.config import rules
from kbimg_tasks.config.rules import Rule, Secret
from kbimg_tasks.partitions import DEFAULT_ROOT_MIB

__all__ = ["Config", "Secret"]
DEFAULT_IMAGE_GIB = 20


def option(rule: Rule, default: Any = attrs.NOTHING, *, key: str = "", also: Tuple[str, ...] = (),
           file: str = "", for_images: Tuple[str, ...] = ()) -> Any:  # fmt: skip
    """An option of a table.

    `key` is its name in the file, `also` are other spellings. One with `file` names a "file", a
    "directory" or "any" of both, which must exist when one of `for_images` is built.
    """
    return field(default=default, metadata={
        "rule": rule, "key": key, "also": also, "file": file, "for_images": for_images})


FROM_PACKAGES = ("vm_img", "pxe_img", "upgrade_img")


@frozen
class FromRepo:
    """[from_repo]: an image out of packages."""

    agent_path: Path = option(rules.host_path, file="file", for_images=FROM_PACKAGES)
    repo_path: Path = option(rules.host_path, file="file", for_images=FROM_PACKAGES)
    root_passwd: Secret = option(rules.secret(rules.shadow))
    version: str = option(rules.version)
    rpmlist: Tuple[str, ...] = option(rules.list_of(rules.package, "package names", at_least=1))
    legacy_bios: bool = option(rules.boolean, False)
    upgrade_img: Optional[str] = option(rules.image_name, None)


@frozen
class FromDockerimg:
    """[from_dockerimg]: an image out of an upgrade image."""

    upgrade_img: str = option(rules.image_name)
    legacy_bios: bool = option(rules.boolean, False)


@frozen
class AdminContainer:
    """[admin_container]."""

    img_name: str = option(rules.image_name)
    hostshell: Path = option(rules.host_path, file="file", for_images=("admin_container",))


@frozen
class PxeConfig:
    """[pxe_config]: what the machine to be installed is told."""

    server_ip: str = option(rules.ipv4)
    rootfs_name: str = option(rules.file_name)
    disk: str = option(rules.disk)
    route_ip: str = option(rules.ipv4)
    dhcp: bool = option(rules.boolean, False)
    local_ip: Optional[str] = option(rules.ipv4, None)
    net_name: Optional[str] = option(rules.interface, None)
    netmask: Optional[str] = option(rules.netmask, None)


@frozen
class User:
    """[[users]]; without a primary group, the user's own."""

    name: str = option(rules.user_name)
    passwd: Secret = option(rules.secret(rules.password))
    primary_group: Optional[str] = option(rules.group_name, None, also=("primary_groups",))
    groups: Tuple[str, ...] = option(rules.list_of(rules.group_name, "group names"), ())


@frozen
class CopyFile:
    """[[copy_files]]; `mode` and `owner` are the source's less 022, and root, when None."""

    dst: str = option(rules.tree_path)
    src: Path = option(rules.host_path, file="any", for_images=FROM_PACKAGES)
    create_dir: Optional[str] = option(rules.tree_path, None)
    mode: Optional[int] = option(rules.file_mode, None)
    owner: Optional[str] = option(rules.owner, None)


@frozen
class Grub:
    """[grub]."""

    passwd: Secret = option(rules.secret(rules.password))


@frozen
class SystemdService:
    """[systemd_service]."""

    name: Tuple[str, ...] = option(rules.list_of(rules.service, "names of systemd units"), ())


@frozen
class ChrootScript:
    """[chroot_script]."""

    path: Path = option(rules.host_path, file="file", for_images=FROM_PACKAGES)
    rm: bool = option(rules.boolean, False)


@frozen
class DiskPartition:
    """[disk_partition]: MiB of each root slot, GiB of the disk."""

    root_mib: int = option(rules.number(64, 1 << 24, "MiB"), DEFAULT_ROOT_MIB, key="root")
    image_gib: int = option(rules.number(1, 1 << 14, "GiB"), DEFAULT_IMAGE_GIB, key="img_size")


@frozen
class PersistMkdir:
    """[persist_mkdir]."""

    name: Tuple[str, ...] = option(rules.list_of(rules.persist_name, "directory names"), ())


@frozen
class DmVerity:
    """[dm_verity]: passphrases of the Secure Boot and OpenPGP keys, and keys to reuse."""

    efi_key: Secret = option(rules.secret(rules.password))
    grub_key: Secret = option(rules.secret(rules.password))
    keys_dir: Optional[Path] = option(rules.host_path, None, file="directory",
                                      for_images=("vm_img", "upgrade_img"))  # fmt: skip


@frozen
class Config:
    """A whole kbimg.toml. Paths are absolute; `where` finds an option's line for a message."""

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
    where: Callable[[str], str] = field(default=lambda option: option, eq=False, repr=False)


TABLES: Mapping[str, type] = {
    "from_repo": FromRepo, "from_dockerimg": FromDockerimg, "admin_container": AdminContainer,
    "pxe_config": PxeConfig, "grub": Grub, "systemd_service": SystemdService,
    "chroot_script": ChrootScript, "disk_partition": DiskPartition,
    "persist_mkdir": PersistMkdir, "dm_verity": DmVerity,
}  # fmt: skip
ARRAYS: Mapping[str, type] = {"users": User, "copy_files": CopyFile}
