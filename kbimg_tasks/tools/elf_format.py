"""The fields by which an ELF file and its machine are recognized: elf.h, and the System V ABI,
chapter 4, "Object Files" (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html)."""

from __future__ import annotations

MAGIC = b"\x7fELF"
# e_machine of the machines, by their names in `uname -m`.
MACHINES: dict[str, int] = {
    "x86_64": 0x3E,
    "aarch64": 0xB7,
    "arm": 0x28,
    "i386": 0x03,
    "riscv64": 0xF3,
    "loongarch64": 0x102,
    "ppc64": 0x15,
    "s390x": 0x16,
}
