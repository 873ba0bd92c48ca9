"""The tables of kbimg.toml: one class each, one attribute an option.

An attribute's metadata has its rule, its names in the file, its description for users, and the kind
of file that it names, if any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from kbimg_tasks.config import values
from kbimg_tasks.config.rules import Rule, boolean, list_of, number
from kbimg_tasks.config.secret import Hidden
from kbimg_tasks.machine.partitions import DEFAULT_ROOT_MIB

DEFAULT_IMAGE_GIB = 20
# The base image that legacy kbimg uses.
ADMIN_BASE = "openeuler/openeuler:24.03-lts"
SMALLEST_ROOT_MIB = 256
LARGEST_MIB = 1 << 24  # 16 TiB, the largest file that ext4 holds
# A certificate should last as long as the nodes that trust it: after its end no new version can be
# signed, and another one has to be enrolled by hand in the firmware of every machine.
CERT_YEARS, LONGEST_CERT_YEARS = 20, 100


def option(
    rule: Rule,
    doc: str,
    default: Any = attrs.NOTHING,
    *,
    names: tuple[str, ...] = (),
    secret: bool = False,
    file: str = "",
) -> Any:
    """An option of a table; `doc` describes it for users in one line, with its unit.

    `names` are its name in the file, if not that of the attribute, and other spellings. The value
    of a `secret` option is never shown. One with `file` names a "file", a "directory", "any" of
    both, or a "program" for the image's machine, as an "agent" also a script, which must exist
    when an image is built that reads the table.
    """
    return field(
        default=default,
        metadata={"rule": rule, "doc": doc, "names": names, "secret": secret, "file": file},
    )


def names(attribute: Any) -> tuple[str, ...]:
    """The names of an option in the file: its standard name first."""
    return attribute.metadata["names"] or (attribute.name,)


@frozen
class FromRepo:
    """[from_repo]: an image out of packages. Excludes [from_dockerimg]."""

    agent_path: Path = option(
        values.host_path,
        "KubeOS's os-agent on this machine; becomes /usr/bin/os-agent, of root:root and mode 500.",
        file="agent",
    )
    repo_path: Path = option(
        values.host_path,
        "Repository file of dnf's format, with one enabled repository or more; gpgcheck is obeyed.",
        file="file",
    )
    root_passwd: Hidden = option(
        values.shadow, "Hash of root's password, as in /etc/shadow: openssl passwd -6.", secret=True
    )
    version: str = option(
        values.version, "Version of the image: VERSION_ID in its /etc/os-release."
    )
    rpmlist: tuple[str, ...] = option(
        list_of(values.package, "package names", at_least=1),
        "Packages to install: whatever dnf takes, such as names, versions, globs, @groups, "
        "files in packages, and RPM files.",
    )
    legacy_bios: bool = option(boolean, "Start by a BIOS instead of UEFI (x86-64 only).", False)
    upgrade_img: str | None = option(
        values.new_image_name, "Name of the upgrade container image; upgrade_img needs it.", None
    )


@frozen
class FromDockerimg:
    """[from_dockerimg]: an image out of an upgrade image, by its name in the container engine or
    out of an archive of it; with both, by its name in the archive. The tree is taken as it is:
    excludes [from_repo], [[users]], [[copy_files]], [grub], [systemd_service], [chroot_script] and
    [dm_verity]."""

    upgrade_img: str | None = option(
        values.image_name, "Name of the upgrade image in the container engine, or in archive.", None
    )
    archive: Path | None = option(
        values.host_path,
        "File with the upgrade image, as docker save writes it.",
        None,
        file="file",
    )
    legacy_bios: bool = option(boolean, "Start by a BIOS instead of UEFI (x86-64 only).", False)


@frozen
class AdminContainer:
    """[admin_container]: the container from which operators reach a node; built on `base_image`
    by a container engine, or out of the packages of `repo_path`."""

    img_name: str = option(values.new_image_name, "Name of the container image.")
    hostshell: Path = option(
        values.host_path,
        "KubeOS's hostshell, an ELF program for the image's architecture.",
        file="program",
    )
    repo_path: Path | None = option(
        values.host_path,
        "Repository file: build the container out of packages. Excludes base_image.",
        None,
        file="file",
    )
    base_image: str | None = option(
        values.image_name,
        f"Container image that a container engine builds on; {ADMIN_BASE} when "
        "absent. Excludes repo_path.",
        None,
    )


@frozen
class PxeConfig:
    """[pxe_config]: network and disk of the machine to install with pxe_img."""

    server_ip: str = option(values.ipv4, "IPv4 address of the HTTP server with the image.")
    rootfs_name: str = option(
        values.file_name, "File name of the root file system on the server: kubeos.tar."
    )
    disk: str = option(values.disk, "Disk to install on. All of it is overwritten.")
    route_ip: str = option(values.ipv4, "IPv4 address of the gateway.")
    dhcp: bool = option(
        boolean, "Take the address by DHCP; else local_ip, net_name and netmask are needed.", False
    )
    local_ip: str | None = option(
        values.ipv4, "IPv4 address of the machine; without dhcp only.", None
    )
    net_name: str | None = option(
        values.interface, "Network interface to use; without dhcp only.", None
    )
    netmask: str | None = option(
        values.netmask, "IPv4 netmask in dotted decimal; without dhcp only.", None
    )


@frozen
class User:
    """[[users]]: a user beside root."""

    name: str = option(values.user_name, "Name of the user, other than root.")
    passwd: Hidden = option(
        values.password, "Password in plain text; only its hash gets into the image.", secret=True
    )
    primary_group: str | None = option(
        values.group_name,
        "Primary group: one that exists, or a new one of the user's name, as when it is absent.",
        None,
        names=("primary_group", "primary_groups"),
    )
    groups: tuple[str, ...] = option(
        list_of(values.group_name, "group names"), "Further groups, which must exist.", ()
    )


@frozen
class CopyFile:
    """[[copy_files]]: a file or directory of this machine, copied into the root tree,
    which PERSIST and the ESP are no part of."""

    dst: str = option(values.tree_path, "Where in the image, as `cp -r` takes it: absolute.")
    src: Path = option(values.host_path, "File or directory of this machine.", file="any")
    create_dir: str | None = option(
        values.tree_path, "Directory of the image to make first: absolute.", None
    )
    mode: int | None = option(
        values.file_mode, 'Octal mode such as "0644"; the source\'s less 022 when absent.', None
    )
    owner: str | None = option(
        values.owner,
        "Owner, or owner:group, by names of the image, its [[users]] too; root:root when absent.",
        None,
    )


@frozen
class Grub:
    """[grub]: the password without which the boot menu cannot be edited. Slots A and B start
    without it."""

    passwd: Hidden = option(
        values.password,
        "Password of the superuser root in plain text; only its hash gets into the image.",
        secret=True,
    )


@frozen
class SystemdService:
    """[systemd_service]: units that start at boot."""

    name: tuple[str, ...] = option(
        list_of(values.service, "names of systemd units"),
        "Units to enable, with or without the suffix .service; os-agent and kubelet are anyway.",
        (),
    )


@frozen
class ChrootScript:
    """[chroot_script]: a script run in the root tree after all other changes."""

    path: Path = option(
        values.host_path, "Script on this machine, run in the image's root by chroot.", file="file"
    )
    rm: bool = option(boolean, "Do not keep the script in the image.", False)


@frozen
class DiskPartition:
    """[disk_partition]: how the disk of the virtual machine is divided."""

    root_mib: int = option(
        number(SMALLEST_ROOT_MIB, LARGEST_MIB, "MiB"),
        "Size of each of the root slots A and B, in MiB.",
        DEFAULT_ROOT_MIB,
        names=("root",),
    )
    image_gib: int = option(
        number(1, LARGEST_MIB >> 10, "GiB"),
        "Size of the whole disk, in GiB; PERSIST gets the rest, 2100 MiB or more.",
        DEFAULT_IMAGE_GIB,
        names=("img_size",),
    )


@frozen
class PersistMkdir:
    """[persist_mkdir]: directories to make on PERSIST."""

    name: tuple[str, ...] = option(
        list_of(values.persist_name, "directory names"),
        "Directories, relative to PERSIST's root.",
        (),
    )


@frozen
class DmVerity:
    """[dm_verity]: a verified boot, from Secure Boot to the last block of the root file system;
    needs [grub]. Excludes legacy_bios, [from_dockerimg] and the image pxe_img."""

    efi_key: Hidden = option(values.password, "Passphrase of the Secure Boot key.", secret=True)
    grub_key: Hidden = option(
        values.password,
        "Passphrase of the OpenPGP key that GRUB's files are signed with.",
        secret=True,
    )
    keys_dir: Path | None = option(
        values.host_path,
        "Directory with the keys of an earlier build; when absent, new ones are "
        "made once, in the output directory's folder keys.",
        None,
        file="directory",
    )
    cert_years: int = option(
        number(1, LONGEST_CERT_YEARS, "years"),
        "How long the certificate of new keys lasts, in years.",
        CERT_YEARS,
    )
