"""The initramfs that installs KubeOS over the network."""

from __future__ import annotations

import shlex

from kbimg_tasks.config.tables import PxeConfig
from kbimg_tasks.machine.partitions import sfdisk_script, smallest_disk_mib
from kbimg_tasks.stages.recipes.dracut import (
    IDENTITY,
    MODULES,
    dracut,
    ready,
    tree_for,
    with_modules,
)
from kbimg_tasks.steps.args import Artifact, Size, Text, data, joined, scratch
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool
from kbimg_tasks.steps.target import Target

MODULE = "91kubeos-install"
INSTALLER = f"{MODULES}/{MODULE}"
# Each program of the installer, with its package.
PROGRAMS = {
    **dict.fromkeys(
        (
            "basename",
            "cat",
            "cp",
            "cut",
            "mkdir",
            "mkfifo",
            "readlink",
            "rm",
            "sha256sum",
            "sleep",
            "sync",
            "tee",
            "tr",
        ),
        "coreutils",
    ),
    **dict.fromkeys(
        ("blockdev", "mount", "mountpoint", "sfdisk", "umount", "wipefs"), "util-linux"
    ),
    "curl": "curl",
    "dracut": "dracut",
    "grep": "grep",
    "ip": "iproute",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "sed": "sed",
    "tar": "tar",
    "udevadm": "systemd",
}
DHCP_PROGRAMS = {"dhclient": "dhcp"}


def programs(listed: Step, pxe: PxeConfig, lacking: str) -> Stage:
    """Checks that the files of the root file system, which `listed` prints, include every program
    of the installer. `lacking` is the advice for a missing program, with `{package}` for its
    package."""
    name = "pxe_programs"
    checked, listing = Artifact(name, "programs"), scratch("files")
    return Stage(
        name,
        "check that the packages have the programs of the installer",
        "0",
        (checked,),
        steps=(
            listed.into(listing),
            tool(
                "need_programs",
                listing,
                "--lacking=there is no {program}, which installing "
                f"over the network needs: {lacking}",
                *_needed(pxe),
            ).into(checked),
        ),
    )


def _needed(pxe: PxeConfig) -> tuple[str, ...]:
    wanted = {**PROGRAMS, **(DHCP_PROGRAMS if pxe.dhcp else {})}
    return tuple(f"{program}={package}" for program, package in sorted(wanted.items()))


def kernel(system: Artifact) -> Stage:
    """vmlinuz: the kernel that a machine boots together with initramfs.img."""
    name = "pxe_kernel"
    made = Artifact(name, "vmlinuz", is_result=True, size=Size.LARGE)
    return Stage(
        name,
        "vmlinuz, the kernel for booting over the network",
        "0",
        (made,),
        (run("cp", joined(system, "/boot/vmlinuz"), made), run("chmod", "644", made)),
    )


def initramfs(
    system: Artifact, described: Stage, pxe: PxeConfig, folders: tuple[str, ...], target: Target
) -> Stage:
    """initramfs.img: for any machine, with the installer and its settings."""
    table, ids, clock = target.table, target.ids, target.clock
    name = "pxe_initramfs"
    image = Artifact(name, "initramfs.img", is_result=True, size=Size.LARGE)
    tree, modules = tree_for(system, scratch("layer")), (IDENTITY, MODULE)
    told = joined(tree.root, INSTALLER)
    uuids = {part.label: ids.uuid(part.label) for part in table.partitions}
    values = {
        "DISK": pxe.disk,
        "SERVER_IP": pxe.server_ip,
        "ROOTFS_NAME": pxe.rootfs_name,
        "ROUTE_IP": pxe.route_ip,
        "DHCP": str(pxe.dhcp).lower(),
        "LOCAL_IP": pxe.local_ip or "",
        "NETMASK": pxe.netmask or "",
        "NET_NAME": pxe.net_name or "",
        "NEEDED_MIB": str(smallest_disk_mib(table)),
        "ROOT_A": uuids["ROOT-A"],
        "ROOT_B": uuids["ROOT-B"],
    }
    return Stage(
        name,
        "initramfs.img, which installs KubeOS over the network",
        clock,
        (image,),
        steps=(
            run("mkdir", scratch("made")),
            *with_modules(tree, *modules),
            tree.wrap(
                tool(
                    "fill",
                    data(f"dracut/{MODULE}/install.conf"),
                    joined(told, "/install.conf"),
                    *(f"{key}={shlex.quote(value)}" for key, value in values.items()),
                )
            ),
            tree.wrap(run("cp", data("mke2fs.conf"), told)),
            tree.wrap(
                run("tee", joined(told, "/partitions")).fed(
                    Text(sfdisk_script(table, ids.uuid("disk"), uuids, takes_rest=True))
                )
            ),
            tree.wrap(
                run("tee", joined(told, "/folders")).fed(
                    Text("".join(f"{folder}\n" for folder in folders))
                )
            ),
            dracut(
                ready(tree, target.architecture, binds=((scratch("made"), "/mnt"),)),
                modules,
                "/mnt/initramfs.img",
                described,
                clock,
            ),
            run("mv", joined(scratch("made"), "/initramfs.img"), image),
            run("chmod", "644", image),
        ),
    )
