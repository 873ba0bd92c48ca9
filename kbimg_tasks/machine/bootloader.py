"""GRUB for UEFI and for legacy BIOS: its paths in the root tree, and the modules of its image."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.machine.architecture import BIOS_FORMAT, Architecture

VENDOR = "/boot/efi/EFI/openEuler"
REMOVABLE = "/boot/efi/EFI/BOOT"  # UEFI specification, 3.5.1.1: the default path of firmware
BIOS_FOLDER = "/boot/grub2"
# Enough to read grub.cfg and both slots; other modules are loaded from GRUB's folder.
MODULES = (
    "ext2",
    "normal",
    "configfile",
    "linux",
    "regexp",
    "loadenv",
    "test",
    "echo",
    "search",
    "boot",
    "reboot",
    "halt",
)


@frozen
class Loader:
    """GRUB for one kind of firmware.

    `folder` has its grub.cfg, environment and modules, and `prefix` is GRUB's name of that folder;
    `image` is GRUB itself; `partitions` is GRUB's name for the type of partition table. `copies`
    are paths where the firmware looks for GRUB.
    """

    folder: str
    image: str
    format: str
    prefix: str
    partitions: str
    modules: tuple[str, ...]
    copies: tuple[str, ...] = ()

    @property
    def menu(self) -> str:
        """grub.cfg, with an entry for each slot."""
        return f"{self.folder}/grub.cfg"

    @property
    def environment(self) -> str:
        """grubenv, whose saved_entry is the slot to boot."""
        return f"{self.folder}/grubenv"

    def slot(self, number: int) -> str:
        """GRUB's name of a partition of the disk."""
        return f"{self.partitions}{number}"


def uefi(architecture: Architecture) -> Loader:
    """GRUB on an ESP."""
    return Loader(
        VENDOR,
        f"{VENDOR}/{architecture.efi_program('grub')}",
        architecture.grub_format,
        "(,gpt1)/EFI/openEuler",
        "gpt",
        ("part_gpt", "fat", *MODULES),
        copies=(f"{REMOVABLE}/{architecture.removable}",),
    )


BIOS = Loader(
    BIOS_FOLDER,
    f"{BIOS_FOLDER}/{BIOS_FORMAT}/core.img",
    BIOS_FORMAT,
    "(,msdos1)/",
    "msdos",
    ("biosdisk", "part_msdos", *MODULES),
)
# The boot sector that a BIOS starts; it reads the image of `BIOS` from the next sectors.
BIOS_BOOT_SECTOR = f"{BIOS_FOLDER}/{BIOS_FORMAT}/boot.img"
