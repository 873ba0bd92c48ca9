"""Write the boot code for a BIOS to a disk image with an MBR.

Usage: place_boot_code DISK BOOT_SECTOR IMAGE --gap-sectors=N

BOOT_SECTOR is GRUB's boot.img: its code goes before the disk signature and the partition table of
the first sector, which stay. IMAGE is GRUB's core.img, made by grub-mkimage for i386-pc: it goes
into the N sectors that follow, where boot.img and core.img's own first sector look for it unless
they are told otherwise (GRUB's manual, "BIOS installation").
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kbimg_tasks.tools.user_error import UserError

SECTOR = 512  # bytes
CODE = 440  # bytes; the disk signature and the partition table follow
SIGNATURE = b"\x55\xaa"
# In boot.img: where it loads its image from, in sectors (grub-core/boot/i386/pc/boot.S).
KERNEL_SECTOR_AT, FIRST = 0x5C, 1


def checked(boot_sector: bytes, image: bytes, gap_sectors: int) -> None:
    """Raises UserError unless the two belong together and fit."""
    if len(boot_sector) != SECTOR or not boot_sector.endswith(SIGNATURE):
        raise UserError("expected a boot sector of 512 bytes that ends with 55aa")
    found = int.from_bytes(boot_sector[KERNEL_SECTOR_AT : KERNEL_SECTOR_AT + 8], "little")
    if found != FIRST:
        raise UserError(f"expected boot.img to load its image from sector {FIRST}, found {found}")
    sectors = -(-len(image) // SECTOR)
    if not 0 < sectors <= gap_sectors:
        raise UserError(
            f"GRUB's image has {sectors} sectors, and there are {gap_sectors} before "
            "the first partition"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Write both, or print an error."""
    parser = argparse.ArgumentParser(prog="place_boot_code", allow_abbrev=False)
    for name in ("disk", "boot_sector", "image"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--gap-sectors", type=int, required=True)
    given = parser.parse_args(argv)
    boot_sector, image = given.boot_sector.read_bytes(), given.image.read_bytes()
    try:
        checked(boot_sector, image, given.gap_sectors)
    except UserError as error:
        print(f"place_boot_code: {error}", file=sys.stderr)
        return 1
    with given.disk.open("r+b") as disk:
        disk.write(boot_sector[:CODE])
        disk.seek(FIRST * SECTOR)
        disk.write(image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
