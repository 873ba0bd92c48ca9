"""Reads and changes UEFI programs (PE/COFF specification of Microsoft)."""

from __future__ import annotations

from pathlib import Path

import pefile

from kbimg_tasks.tools.user_error import UserError

SYMBOL_BYTES = 18
SECURITY = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_SECURITY"]


def section(path: Path, name: str) -> bytes:
    """The content of a section without the padding at its end. Raises UserError."""
    program = _opened(path)
    for each in program.sections:
        if _name(program, each) == name:
            return each.get_data()[: each.Misc_VirtualSize]
    raise UserError(f"{path} has no section {name}")


def _name(program: pefile.PE, each: pefile.SectionStructure) -> str:
    """A section's name; one of more than eight characters is in the string table."""
    name = each.Name.rstrip(b"\0").decode()
    if not name.startswith("/"):
        return name
    header = program.FILE_HEADER
    strings = header.PointerToSymbolTable + header.NumberOfSymbols * SYMBOL_BYTES
    return program.__data__[strings + int(name[1:]) :].split(b"\0", 1)[0].decode()


def unsigned(path: Path) -> bytes:
    """The program without its signatures, which are at its end. Raises UserError."""
    program = _opened(path)
    place = program.OPTIONAL_HEADER.DATA_DIRECTORY[SECURITY]
    end = place.VirtualAddress  # of this entry only: an offset in the file
    place.VirtualAddress = place.Size = 0
    program.OPTIONAL_HEADER.CheckSum = 0
    return bytes(program.write()[: end or None])


def _opened(path: Path) -> pefile.PE:
    try:
        return pefile.PE(str(path), fast_load=True)
    except pefile.PEFormatError as error:
        raise UserError(f"{path} is no UEFI program: {error}") from error
