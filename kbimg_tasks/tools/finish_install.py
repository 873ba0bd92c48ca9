"""Prepare an installed tree for booting on many nodes.

Usage: finish_install TREE --kernel-version FILE --compressor FILE
       finish_install TREE --container

Deletes files of one machine or one build (machine-id, ssh host keys, random seed, logs, caches, the
package manager's history), gives the kernel its unversioned name, and moves /var to the factory
copy from which systemd-tmpfiles fills a node's /var (tmpfiles.d(5), "C"). Writes the version of the
kernel in the tree, and the fastest command that compresses an initramfs in a format that this
kernel unpacks, by its CONFIG_RD_ options. A container's tree has no kernel, and its /var stays.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from kbimg_tasks.tools.user_error import UserError

FACTORY = "usr/share/factory/var"
# Created on every node, or not needed on any.
UNWANTED = (
    "boot/initramfs-*",
    "boot/initrd*",
    "boot/loader",
    "etc/dracut.conf.d/00-kbimg-later.conf",
    "etc/machine-info",
    "etc/ssh/ssh_host_*",
    "etc/.pwd.lock",
    "etc/*-",
    "root/.bash_history",
    "root/.rpmdb",
    "root/.rpmmacros",
    "var/cache/dnf",
    "var/cache/yum",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dnf",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/rpm/.rpm.lock",
    "var/lib/rpm/*-shm",
    "var/lib/rpm/*-wal",
    "var/lib/rpm/__db.*",
    "var/log/dnf*",
    "var/log/hawkey*",
    "var/log/yum*",
    "var/log/anaconda",
    "var/log/*.log",
    "var/log/journal/*",
    "var/tmp/*",
    "run/*",
    "tmp/*",
    ".autorelabel",
)
# Kernel option, program in the tree, command; the fastest first.
COMPRESSORS = (
    ("CONFIG_RD_ZSTD", "usr/bin/zstd", "zstd -3 -T0 -q"),
    ("CONFIG_RD_LZ4", "usr/bin/lz4", "lz4 -l -1"),
    ("CONFIG_RD_GZIP", "usr/bin/pigz", "pigz -6 -n"),
    ("CONFIG_RD_GZIP", "usr/bin/gzip", "gzip -1 -n"),
)


# Mount points during the installation or on a node: no package has set their modes in this tree.
MOUNT_POINTS = {
    "dev": 0o755,
    "proc": 0o555,
    "sys": 0o555,
    "run": 0o755,
    "tmp": 0o1777,
    "persist": 0o755,
    "boot/efi": 0o700,
    "opt/cni": 0o755,
}


def remove(path: Path) -> None:
    """Remove a file, a link or a tree."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def kernel_version(tree: Path) -> str:
    """The only kernel of the tree. Raises UserError if there is none, or more than one."""
    versions = sorted(
        path.name[len("vmlinuz-") :]
        for path in (tree / "boot").glob("vmlinuz-*")
        if (tree / "usr/lib/modules" / path.name[len("vmlinuz-") :]).is_dir()
    )
    if len(versions) != 1:
        found = ", ".join(versions) if versions else "none"
        raise UserError(
            f"expected one kernel in /boot with its modules, found {found}; "
            "is `kernel` in from_repo.rpmlist, in one version?"
        )
    return versions[0]


def compressor(tree: Path, version: str) -> str:
    """The command for dracut's --compress."""
    config = tree / "boot" / f"config-{version}"
    lines = config.read_text(encoding="utf-8").splitlines() if config.is_file() else []
    for option, program, command in COMPRESSORS:
        if (f"{option}=y" in lines or not lines) and (tree / program).exists():
            return command
    raise UserError("none of zstd, lz4, pigz and gzip is installed: add gzip to from_repo.rpmlist")


def clear_identity(tree: Path) -> None:
    """Create an empty machine-id, over which the initramfs mounts that of the node."""
    machine_id = tree / "etc/machine-id"
    machine_id.unlink(missing_ok=True)
    machine_id.touch()
    machine_id.chmod(0o444)
    bus = tree / "var/lib/dbus/machine-id"
    if bus.is_symlink() or bus.exists():
        bus.unlink()
        bus.symlink_to("/etc/machine-id")


def move_var(tree: Path) -> None:
    """Move /var to the factory copy, and create an empty mount point."""
    factory = tree / FACTORY
    if factory.exists():
        raise UserError(f"a package has put files in /{FACTORY}, the place of the factory copy")
    factory.parent.mkdir(parents=True, exist_ok=True)
    os.rename(tree / "var", factory)
    (tree / "var").mkdir(mode=0o755)
    for name, mode in MOUNT_POINTS.items():
        (tree / name).mkdir(parents=True, exist_ok=True)
        (tree / name).chmod(mode)


def clean(tree: Path) -> None:
    """Delete files that no image should have."""
    for pattern in UNWANTED:
        for path in sorted(tree.glob(pattern)):
            remove(path)


def finish(tree: Path) -> list[str]:
    """Finish the tree. Returns the kernel's version and the compression command."""
    clean(tree)
    version = kernel_version(tree)
    command = compressor(tree, version)
    os.rename(tree / "boot" / f"vmlinuz-{version}", tree / "boot/vmlinuz")
    (tree / "boot" / f".vmlinuz-{version}.hmac").unlink(missing_ok=True)
    clear_identity(tree)
    move_var(tree)
    return [version, command]


def main() -> int:
    """Finish the tree, or print an error."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--kernel-version", type=Path)
    parser.add_argument("--compressor", type=Path)
    parser.add_argument("--container", action="store_true")
    options = parser.parse_args()
    if options.container:
        clean(options.tree)
        clear_identity(options.tree)
        return 0
    try:
        version, command = finish(options.tree)
    except UserError as error:
        print(f"finish_install: {error}", file=sys.stderr)
        return 1
    options.kernel_version.write_text(version + "\n", encoding="utf-8")
    options.compressor.write_text(command + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
