"""Machines with Secure Boot, and changes of their disks."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Callable

from kbimg_tasks.commands.boot.boards import BOARDS, firmware
from kbimg_tasks.commands.boot.hardware import Drive, SecureBoot
from kbimg_tasks.commands.boot.vm import VirtualMachine
from kbimg_tasks.machine.architecture import X86_64, Architecture
from kbimg_tasks.machine.partitions import Table, plan_table

MIB = 1 << 20
BLOCK = 4096
OWNER = "8be4df61-93ca-11d2-aa0d-00e098032b8c"  # whose certificate it is, for the firmware's lists
ROOT_MIB, IMAGE_GIB = 800, 6
TABLE: Table = plan_table(ROOT_MIB, IMAGE_GIB, verity=True)
SECRETS = {
    "grub.passwd": "menu-word-one",
    "efi_key": "efi phrase-two",
    "grub_key": "openpgp phrase-three",
}
DM_VERITY = f"""
[dm_verity]
efi_key = "{SECRETS["efi_key"]}"
grub_key = "{SECRETS["grub_key"]}"
"""
MORE = f"""
[grub]
passwd = "{SECRETS["grub.passwd"]}"
{DM_VERITY}"""
SIZES = f"""
[disk_partition]
root = {ROOT_MIB}
img_size = {IMAGE_GIB}
"""


def run(*argv: object) -> str:
    """The output of a program, which must succeed."""
    return subprocess.run(
        [str(word) for word in argv], check=True, text=True, capture_output=True
    ).stdout


def enrolled(out: Path, folder: Path, architecture: Architecture = X86_64) -> Path:
    """A variable store with an image's certificates, enrolled as the documentation says."""
    store, revoked = folder / "enrolled.fd", folder / "vendor-dbx.der"
    run("mcopy", "-n", "-i", out / "update-boot.img", "::/EFI/vendor-dbx.der", revoked)
    run("mcopy", "-n", "-i", out / "update-boot.img", "::/EFI/rsa4BIOS.der", folder)
    own = folder / "rsa4BIOS.der"
    empty = firmware(BOARDS[architecture.name], is_secure=True)[1]
    old = (word for name in ("PK", "KEK", "db", "dbx") for word in ("--delete", name))
    run(
        "virt-fw-vars",
        "--input",
        empty,
        "--output",
        store,
        *old,
        "--set-pk",
        OWNER,
        own,
        "--add-kek",
        OWNER,
        own,
        "--add-db",
        OWNER,
        own,
        "--add-dbx-cert",
        OWNER,
        revoked,
        "--sb",
    )
    return store


def machine(
    out: Path,
    folder: Path,
    disk: Path,
    architecture: Architecture = X86_64,
    adapter: str = "virtio-blk-pci",
) -> VirtualMachine:
    """A machine with Secure Boot that trusts an image's certificates."""
    folder.mkdir(exist_ok=True)
    return VirtualMachine(
        Drive(disk, adapter=adapter),
        folder,
        SecureBoot(enrolled(out, folder, architecture)),
        architecture=architecture,
        ends_at_reboot=True,
    )


def copy(out: Path, folder: Path) -> Path:
    """A copy of the disk."""
    folder.mkdir(exist_ok=True)
    run("cp", "--sparse=always", out / "system.img", folder / "disk.img")
    return folder / "disk.img"


def esp(disk: Path, slot: str = "A") -> str:
    """The boot partition of a slot in mtools syntax."""
    return f"{disk}@@{TABLE.by_label(f'BOOT-{slot}').start_mib}M"


def flip(disk: Path, place: int) -> Callable[[], None]:
    """Change one byte. Returns a function that restores it."""

    def change() -> None:
        with disk.open("r+b") as stream:
            stream.seek(place)
            (byte,) = stream.read(1)
            stream.seek(place)
            stream.write(bytes([byte ^ 1]))

    change()
    return change


def flip_in_file(disk: Path, slot: str, path: str) -> Callable[[], None]:
    """Change a byte of a file in a slot's root file system. Returns a function that restores it."""
    start = TABLE.by_label(f"ROOT-{slot}").start_mib * MIB
    blocks = run("debugfs", "-R", f"blocks {path}", f"{disk}?offset={start}").split()
    return flip(disk, start + int(blocks[len(blocks) // 2]) * BLOCK + 100)


def replace_in_root(disk: Path, path: str, content: Path) -> None:
    """Put another file into slot A's root file system."""
    start = TABLE.by_label("ROOT-A").start_mib * MIB
    for command in (f"rm {path}", f"write {content} {path}"):
        run("debugfs", "-w", "-R", command, f"{disk}?offset={start}")


def keep_for_later(out: Path, disk: Path) -> None:
    """Put a version's slot images on PERSIST, under names that no node reads yet."""
    persist = TABLE.by_label("PERSIST").start_mib * MIB
    for name in ("boot", "root", "hash"):
        command = f"write {out / f'update-{name}.img'} later-{name}.img"
        run("debugfs", "-w", "-R", command, f"{disk}?offset={persist}")
