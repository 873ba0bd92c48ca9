"""Where GRUB lies in the root tree, and what its image is made of, for UEFI and for a BIOS."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.machine.architecture import BIOS_FORMAT, Architecture

VENDOR = "/boot/efi/EFI/openEuler"
REMOVABLE = "/boot/efi/EFI/BOOT"  # UEFI specification, 3.5.1.1: where firmware looks by itself
BIOS_FOLDER = "/boot/grub2"
# Enough to read the menu and both slots; all else is loaded from GRUB's folder.
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
    """GRUB of a kind of machine.

    `folder` has its menu, environment and modules; `image` is GRUB itself, and `prefix` that folder
    as GRUB calls it; `partitions` is its name for the kind of partition table. `copies` are places
    where the firmware looks for it.
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
        """The file with an entry for each slot."""
        return f"{self.folder}/grub.cfg"

    @property
    def environment(self) -> str:
        """The file whose saved_entry says which slot starts."""
        return f"{self.folder}/grubenv"

    def slot(self, number: int) -> str:
        """A partition of the disk as GRUB calls it."""
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
# What a BIOS starts from the first sector of a disk; it reads the image of `BIOS` from the next.
BIOS_BOOT_SECTOR = f"{BIOS_FOLDER}/{BIOS_FORMAT}/boot.img"
