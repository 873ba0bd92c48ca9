"""Identifiers, derived when planning: the same configuration gives the same ones.

They are version 5 UUIDs (RFC 9562) of the partition layout, which an upgrade does not change. A new
version of an image or another user in it does not change them.
"""

from __future__ import annotations

import hashlib
import uuid

from attrs import frozen

from kbimg_tasks.machine.partitions import Table

NAMESPACE = uuid.UUID("6d0cb5c5-7c1c-5e0f-9a2b-6b62696d6721")
CRYPT_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CRYPT_SALT_LENGTH = 16  # crypt(5), sha512crypt


@frozen
class Ids:
    """All identifiers of one disk layout."""

    seed: str
    table: Table

    @classmethod
    def of(cls, table: Table) -> Ids:
        """The identifiers for a partition table."""
        sizes = ",".join(f"{part.label}:{part.size_mib}" for part in table.partitions)
        return cls(f"{table.scheme}/{table.image_mib}/{sizes}", table)

    def uuid(self, purpose: str) -> str:
        """A UUID in lower case, different for each purpose."""
        return str(uuid.uuid5(NAMESPACE, f"{self.seed}/{purpose}"))

    @property
    def disk(self) -> str:
        """The identifier of the partition table as sfdisk(8) takes it: a UUID for GPT, 32 bits for
        MBR."""
        return f"0x{self.uuid('disk')[:8]}" if self.table.is_legacy else self.uuid("disk")

    def partuuid(self, label: str) -> str:
        """The kernel's name of a partition in root=PARTUUID=. Partitions of an MBR have no
        identifiers: the name is that of the disk with the partition's number
        (https://docs.kernel.org/admin-guide/kernel-parameters.html, root=)."""
        if self.table.is_legacy:
            return f"{self.uuid('disk')[:8]}-{self.table.by_label(label).number:02x}"
        return self.uuid(label)

    def fat_volume(self, purpose: str) -> str:
        """A FAT volume number: eight hexadecimal digits."""
        return self.uuid(purpose)[:8]

    def salt(self, purpose: str, count: int) -> str:
        """`count` bytes in hexadecimal."""
        return hashlib.shake_256(f"{self.seed}/salt/{purpose}".encode()).hexdigest(count)

    def crypt_salt(self, purpose: str) -> str:
        """A salt for crypt(5)."""
        numbers = bytes.fromhex(self.salt(purpose, CRYPT_SALT_LENGTH))
        return "".join(CRYPT_ALPHABET[number % len(CRYPT_ALPHABET)] for number in numbers)
