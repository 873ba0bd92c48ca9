"""The hash tree of a root file system, and the programs that a verified image needs."""

from __future__ import annotations

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.machine.bootloader import REMOVABLE, VENDOR
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Partition
from kbimg_tasks.steps.args import Arg, Artifact, Size, scratch
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool

SALT_BYTES = 32
# Each program of the initramfs and of kubeos-dmv, with its package.
PROGRAMS = {
    **dict.fromkeys(
        (
            "cat",
            "cut",
            "dd",
            "head",
            "mkdir",
            "readlink",
            "rm",
            "sha256sum",
            "stat",
            "sync",
            "tr",
            "uname",
        ),
        "coreutils",
    ),
    **dict.fromkeys(("blkid", "blockdev", "mount", "umount"), "util-linux"),
    "efibootmgr": "efibootmgr",
    "mokutil": "mokutil",
    "sed": "sed",
    "udevadm": "systemd",
    "veritysetup": "veritysetup",
}


def _boot_files(architecture: Architecture) -> dict[str, str]:
    """Each file of the boot partition, with its package."""
    grub = f"grub2-efi-{architecture.efi}"
    return {
        **{f"{VENDOR}/{architecture.efi_program(name)}": "shim" for name in ("shim", "mm")},
        f"{REMOVABLE}/{architecture.efi_program('fb')}": "shim",
        f"{VENDOR}/{architecture.efi_program('grub')}": grub,
        f"/usr/lib/grub/{architecture.grub_format}/pgp.mod": f"{grub}-modules",
    }


def programs(listed: Step, architecture: Architecture) -> Stage:
    """Checks that the packages, whose files `listed` prints, have everything that a verified image
    needs."""
    name = "verity_programs"
    checked, listing = Artifact(name, "programs"), scratch("files")
    wanted = (
        f"{needed}={package}"
        for needed, package in sorted({**PROGRAMS, **_boot_files(architecture)}.items())
    )
    return Stage(
        name,
        "check that the packages have the programs for dm-verity and Secure Boot",
        "0",
        (checked,),
        steps=(
            listed.into(listing),
            tool(
                "need_programs",
                listing,
                "--lacking=there is no {program}, which dm-verity "
                "needs: from_repo.repo_path must have it in a package {package}",
                *wanted,
            ).into(checked),
        ),
    )


def hash_tree(root: Artifact, partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """update-hash.img, and the root hash, which authenticates the whole root file system."""
    name = "hash_tree"
    tree, root_hash = (
        Artifact(name, "update-hash.img", is_result=True, size=Size.LARGE),
        Artifact(name, "root-hash"),
    )
    return Stage(
        name,
        "update-hash.img, the hash tree of the root file system",
        clock,
        (tree, root_hash),
        steps=(
            tool(
                "hash_tree",
                root,
                tree,
                f"--salt={ids.salt('verity', SALT_BYTES)}",
                f"--uuid={ids.uuid('verity')}",
                f"--at-most-mib={partition.size_mib}",
            )
            .using("veritysetup")
            .into(root_hash),
            run("chmod", "644", tree),
        ),
    )
