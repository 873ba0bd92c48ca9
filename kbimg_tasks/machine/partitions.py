"""The partition table of each kind of disk, planned once.

All boundaries are whole MiB from the start of the disk. Types are those of the UEFI specification
(5.3.3) and of the Discoverable Partitions Specification's "Linux generic data" for GPT, and the
usual one-byte ones for MBR.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

SECTORS_A_MIB = 2048  # of 512 bytes
FIRST_MIB = 1
BOOT_END_MIB = 60
PERSIST_AT_LEAST_MIB = 2100
GPT_BACKUP_MIB = 1
DEFAULT_ROOT_MIB = 2560
DEFAULT_HASH_MIB = 128
HASH_PART = 20  # of the root partition; a hash tree needs less
MIB_A_GIB = 1024

EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
MBR_LINUX = "83"
# The smallest disk that the installer takes; kubeos-install.sh has the same number.
SMALLEST_DISK_BYTES = 8_000_000_000
MBR_LARGEST_GIB = 2048  # 32 bits count its sectors
MOUNT_POINTS = {
    "BOOT": "/boot/efi",
    "BOOT-A": "/boot/efi",
    "GRUB2": "/boot/grub2",
    "ROOT-A": "/",
    "PERSIST": "/persist",
}


class LayoutError(ValueError):
    """The partitions do not fit on the disk; the text names the sizes."""


@frozen
class Partition:
    """One partition.

    `type` is a UUID for GPT and two hexadecimal digits for MBR; `kind` is the file system, or
    `hash` for a dm-verity hash tree; `mount_point` is that of a new node.
    """

    number: int
    label: str
    start_mib: int
    size_mib: int
    type: str
    kind: str
    mount_point: str = ""
    active: bool = False

    @property
    def end_mib(self) -> int:
        """The first MiB after the partition."""
        return self.start_mib + self.size_mib


@frozen
class Table:
    """A partition table: `scheme` is `gpt` or `dos`, sfdisk's words."""

    scheme: str
    image_mib: int
    partitions: tuple[Partition, ...]

    @property
    def is_legacy(self) -> bool:
        """Whether the disk is for legacy BIOS."""
        return self.scheme == "dos"

    def by_label(self, label: str) -> Partition:
        """The partition with a label."""
        return next(part for part in self.partitions if part.label == label)


def hash_mib(root_mib: int) -> int:
    """The size of the hash partition for a root partition."""
    if root_mib == DEFAULT_ROOT_MIB:
        return DEFAULT_HASH_MIB
    return -(-root_mib // HASH_PART)


def plan_table(
    root_mib: int, image_gib: int, *, legacy: bool = False, verity: bool = False
) -> Table:
    """The table of a disk of `image_gib` GiB with slots of `root_mib` MiB.

    Raises LayoutError when less than PERSIST_AT_LEAST_MIB is left, when the disk is too large for
    the table, and for dm-verity with legacy BIOS.
    """
    if legacy and verity:
        raise LayoutError("UEFI with dm-verity, found legacy BIOS")
    if legacy and image_gib > MBR_LARGEST_GIB:
        raise LayoutError(
            f"at most img_size = {MBR_LARGEST_GIB} with legacy BIOS, found img_size = {image_gib}"
        )
    image_mib = image_gib * MIB_A_GIB
    boot_mib = BOOT_END_MIB - FIRST_MIB
    linux = MBR_LINUX if legacy else LINUX
    wanted: list[tuple[str, int, str, str]] = []
    if verity:
        for slot in "AB":
            wanted += [
                (f"BOOT-{slot}", boot_mib, EFI_SYSTEM, "vfat"),
                (f"ROOT-{slot}", root_mib, LINUX, "ext4"),
                (f"HASH-{slot}", hash_mib(root_mib), LINUX, "hash"),
            ]
    else:
        wanted = [
            ("GRUB2", boot_mib, linux, "ext4")
            if legacy
            else ("BOOT", boot_mib, EFI_SYSTEM, "vfat"),
            ("ROOT-A", root_mib, linux, "ext4"),
            ("ROOT-B", root_mib, linux, "ext4"),
        ]
    taken = FIRST_MIB + sum(size for _, size, _, _ in wanted)
    end = image_mib - (0 if legacy else GPT_BACKUP_MIB)
    left = end - taken
    if left < PERSIST_AT_LEAST_MIB:
        raise LayoutError(
            f"partitions that fit img_size = {image_gib} GiB ({image_mib} MiB): two slots of "
            f"root = {root_mib} MiB and the other partitions take {taken} MiB, which leaves "
            f"{max(left, 0)} MiB for PERSIST; it needs {PERSIST_AT_LEAST_MIB} MiB"
        )
    wanted.append(("PERSIST", left, linux, "ext4"))
    partitions, start = [], FIRST_MIB
    for number, (label, size, kind, filesystem) in enumerate(wanted, 1):
        partitions.append(
            Partition(
                number,
                label,
                start,
                size,
                kind,
                filesystem,
                MOUNT_POINTS.get(label, ""),
                active=legacy and number == 1,
            )
        )
        start += size
    return Table("dos" if legacy else "gpt", image_mib, tuple(partitions))


def smallest_disk_mib(table: Table) -> int:
    """The size of the smallest disk for a table, in MiB; PERSIST takes the rest of the disk."""
    return table.partitions[-1].start_mib + PERSIST_AT_LEAST_MIB + GPT_BACKUP_MIB


def sfdisk_script(
    table: Table, disk_id: str, uuids: Mapping[str, str], *, takes_rest: bool = False
) -> str:
    """The table as sfdisk(8) reads it.

    `disk_id` is a UUID for GPT and `0x` with eight hexadecimal digits for MBR; `uuids` has one for
    each label and is for GPT only. With `takes_rest` the last partition takes the rest of the disk.
    """
    lines = [f"label: {table.scheme}", f"label-id: {disk_id}", "unit: sectors", "sector-size: 512"]
    for part in table.partitions:
        words = [
            f"start={part.start_mib * SECTORS_A_MIB}",
            f"size={part.size_mib * SECTORS_A_MIB}",
            f"type={part.type}",
        ]
        if takes_rest and part == table.partitions[-1]:
            del words[1]
        if table.scheme == "gpt":
            words += [f"uuid={uuids[part.label]}", f'name="{part.label}"']
        if part.active:
            words.append("bootable")
        lines.append(f"{part.number} : {', '.join(words)}")
    return "\n".join(lines) + "\n"


def drawn(table: Table) -> str:
    """The table as text for users, with the start, end and size of each partition in MiB."""
    rows = [f"{table.scheme}, {table.image_mib} MiB"]
    for part in table.partitions:
        row = (
            f"{part.number}  {part.label:<8} {part.kind:<5} {part.start_mib:>8} to "
            f"{part.end_mib:>8}  {part.size_mib:>8} MiB  {part.mount_point}"
        )
        rows.append(row.rstrip())
    return "\n".join(rows) + "\n"
