"""Extract sections of a distribution's UEFI programs.

Usage: take_section sbat PROGRAM > TARGET
       take_section vendor-certificates SHIM FOLDER

`sbat` prints the generations that shim compares with what it has revoked (shim's SBAT.md): a GRUB
of ours is the distribution's code, and so has its generations. `vendor-certificates` writes each
certificate that shim trusts besides the firmware's, as DER: vendor-dbx.der, vendor-dbx-2.der, and
so on. They lie in shim's section .vendor_cert behind four numbers of 32 bits: the sizes of what is
trusted and what is revoked, then their places. What is trusted is one certificate, or signature
lists (UEFI specification, 32.4.1).
"""

from __future__ import annotations

import struct
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from kbimg_tasks.tools import pe
from kbimg_tasks.tools.trust_names import revoked_certificate
from kbimg_tasks.tools.user_error import UserError

X509_LIST = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
LIST_HEADER = struct.Struct("<16sIII")
OWNER_BYTES = 16
DER_SEQUENCE = 0x30


def certificates(content: bytes) -> Iterator[bytes]:
    """The certificates of shim's section."""
    trusted, _, place, _ = struct.unpack_from("<4I", content)
    found = content[place : place + trusted]
    if found[:1] == bytes([DER_SEQUENCE]):
        yield found
        return
    while found:
        kind, whole, header, size = LIST_HEADER.unpack_from(found)
        entries = found[LIST_HEADER.size + header : whole]
        if uuid.UUID(bytes_le=kind) == X509_LIST:
            for start in range(0, len(entries), size):
                yield entries[start + OWNER_BYTES : start + size]
        found = found[whole:]


def main(wanted: str, program: Path, *folder: Path) -> int:
    """Print SBAT, or write the certificates."""
    try:
        if wanted == "sbat":
            sys.stdout.buffer.write(pe.section(program, ".sbat").rstrip(b"\0"))
            return 0
        for number, der in enumerate(certificates(pe.section(program, ".vendor_cert")), 1):
            (folder[0] / revoked_certificate(number)).write_bytes(der)
    except UserError as error:
        print(f"take_section: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(Path, sys.argv[2:])))
