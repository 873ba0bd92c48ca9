"""Sign UEFI programs for Secure Boot, with sbsign or with pesign.

Usage: sign_efi KEYS --clock=SECONDS PROGRAM=SIGNED... < PASSPHRASE

KEYS has `rsa4BIOS.key` and `rsa4BIOS.crt`. Existing signatures are removed first: a program is
refused if one of its signatures is by a revoked key (UEFI specification, 32.5.3.3). The time in the
signature is the clock's if faketime(1) is installed. Otherwise it is the current time, by which two
builds differ: neither signing program has an option for it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from kbimg_tasks.tools import in_memory, pe
from kbimg_tasks.tools.trust_names import CERTIFICATE, KEY, NICKNAME
from kbimg_tasks.tools.user_error import UserError

# The decrypted key, in memory of this process.
LOCAL = b"kbimg\n"


def at(clock: int) -> list[str]:
    """The command prefix that makes a program use the clock's time."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(clock))
    return ["faketime", "-f", moment] if shutil.which("faketime") else []


def by_sbsign(keys: Path, passphrase: bytes, clock: int, program: Path, signed: Path) -> None:
    """Sign with sbsign, which has no option for a passphrase: it gets the key in a file in
    memory."""
    key = in_memory.run(
        ["openssl", "pkey", "-in", keys / KEY, "-passin", f"file:{in_memory.file(passphrase)}"]
    )
    in_memory.run(
        [
            *at(clock),
            "sbsign",
            "--key",
            in_memory.file(key),
            "--cert",
            keys / CERTIFICATE,
            "--output",
            signed,
            program,
        ]
    )


def by_pesign(keys: Path, passphrase: bytes, clock: int, program: Path, signed: Path) -> None:
    """Sign with pesign. Not every version reads a passphrase from a file, so it gets a database in
    memory without one."""
    database, container = in_memory.HOME / "certdb", in_memory.HOME / "key.p12"
    if not database.exists():
        database.mkdir(mode=0o700)
        in_memory.run(["certutil", "-N", "--empty-password", "-d", database])
        in_memory.run(
            [
                "openssl",
                "pkcs12",
                "-export",
                "-inkey",
                keys / KEY,
                "-in",
                keys / CERTIFICATE,
                "-name",
                NICKNAME,
                "-passin",
                f"file:{in_memory.file(passphrase)}",
                "-passout",
                f"file:{in_memory.file(LOCAL)}",
                "-out",
                container,
            ]
        )
        in_memory.run(["pk12util", "-i", container, "-d", database, "-w", in_memory.file(LOCAL)])
    in_memory.run(
        [
            *at(clock),
            "pesign",
            "--force",
            "--sign",
            "-n",
            database,
            "-c",
            NICKNAME,
            "-i",
            program,
            "-o",
            signed,
        ]
    )


SIGNERS = {"sbsign": by_sbsign, "pesign": by_pesign}


def main() -> int:
    """Sign each."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("keys", type=Path)
    parser.add_argument("--clock", type=int, required=True)
    parser.add_argument("programs", nargs="+", metavar="PROGRAM=SIGNED")
    options = parser.parse_args()
    passphrase = in_memory.first_line()
    signer = next((SIGNERS[name] for name in SIGNERS if shutil.which(name)), by_sbsign)
    try:
        for pair in options.programs:
            program, _, signed = pair.partition("=")
            bare = in_memory.HOME / "unsigned.efi"
            bare.write_bytes(pe.unsigned(Path(program)))
            signer(options.keys, passphrase, options.clock, bare, Path(signed))
            Path(signed).chmod(0o644)
    except (UserError, in_memory.Failed, OSError) as error:
        print(f"sign_efi: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
