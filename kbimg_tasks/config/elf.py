"""Checks that a program of the user runs on the image's architecture."""

from __future__ import annotations

import os

from kbimg_tasks.config.rules import Wrong
from kbimg_tasks.tools.elf_format import MACHINES, MAGIC

HEADER_BYTES = 20
BYTE_ORDERS = {1: "little", 2: "big"}
NAMES = {number: name for name, number in MACHINES.items()}


def is_elf(path: str) -> bool:
    """Whether a file is machine code, not a script."""
    with open(path, "rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def check(path: str, machine: str) -> None:
    """Raises Wrong unless the file is an executable program for `machine` (as `uname -m` says)."""
    expected = f"an executable program for {machine} (ELF)"
    with open(path, "rb") as stream:
        header = stream.read(HEADER_BYTES)
    if not header.startswith(MAGIC) or len(header) < HEADER_BYTES:
        raise Wrong(expected, found=f"{path}, which is no ELF file")
    order = BYTE_ORDERS.get(header[5], "little")
    number = int.from_bytes(header[18:20], "big" if order == "big" else "little")
    if NAMES.get(number) != machine:
        raise Wrong(expected, found=f"{path}, which is for {NAMES.get(number, hex(number))}")
    if not os.stat(path).st_mode & 0o111:
        raise Wrong(expected, "chmod +x", found=f"{path}, which is not executable")
