"""Check the signatures of all files that nodes check.

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
    """Check a UEFI program with sbverify, which comes with sbsign, or pesigcheck of pesign."""
    if shutil.which("sbverify"):
        in_memory.run(["sbverify", "--cert", folder / CERTIFICATE, program])
    else:
        in_memory.run(
            ["pesigcheck", "--no-system-db", "1", "--certfile", folder / DER, "--in", program]
        )


def check_openpgp(path: Path, folder: Path) -> None:
    """Check an OpenPGP signature with gpgv, which accepts GRUB's key file as a keyring. A signature
    has the image's time and can be older than the key; GRUB does not compare times either."""
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
    """Check all files. Raises UserError for the first bad signature."""
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
