"""Check that what nodes check is signed as they demand it.

Usage: check_signatures FOLDER EFI SIGNED... > REPORT

FOLDER has the certificate, as `rsa4BIOS.crt` and `rsa4BIOS.der`, and the public key `gpg.key`. EFI
is how many of the files are UEFI programs, signed for Secure Boot; they come first. The others have
an OpenPGP signature beside them, called like them with `.sig`. The report has the checksum of each
file.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from kbimg_tasks.tools import checksum, in_memory
from kbimg_tasks.tools.openpgp import PUBLIC
from kbimg_tasks.tools.trust_names import CERTIFICATE, DER, SIGNATURE


def check_efi(program: Path, folder: Path) -> None:
    """By the program that is there: sbverify comes with sbsign, pesigcheck with pesign."""
    if shutil.which("sbverify"):
        in_memory.run(["sbverify", "--cert", folder / CERTIFICATE, program])
    else:
        in_memory.run(
            ["pesigcheck", "--no-system-db", "1", "--certfile", folder / DER, "--in", program]
        )


def check_openpgp(path: Path, folder: Path) -> None:
    """By gpgv, which takes GRUB's key file for a keyring. A signature carries the image's time,
    and may be older than the key: GRUB compares no times either."""
    in_memory.run(
        [
            "gpgv",
            "--ignore-time-conflict",
            "--keyring",
            (folder / PUBLIC).resolve(),
            f"{path}{SIGNATURE}",
            path,
        ]
    )


def main(folder: Path, programs: int, *signed: Path) -> int:
    """All of them, or the first that is wrong."""
    for number, path in enumerate(signed):
        try:
            if number < programs:
                check_efi(path, folder)
            else:
                check_openpgp(path, folder)
        except in_memory.Failed as failure:
            print(
                f"check_signatures: {path.name} is not signed as nodes demand it: {failure}",
                file=sys.stderr,
            )
            return 1
        kind = "Secure Boot" if number < programs else "OpenPGP"
        print(f"{checksum.of_file(path)}  {kind:<11}  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:])))
