"""Check and copy the Secure Boot key.

Usage: efi_key FROM FOLDER --not-after=FILE < PASSPHRASE

FROM has the certificate as `rsa4BIOS.der`, and its key behind a passphrase, in `rsa4BIOS.key` (PKCS
#8) or, as keys of legacy kbimg, in the NSS database `certdb` as `rsa4BIOS`. FOLDER gets
`rsa4BIOS.key`, `rsa4BIOS.crt` and `rsa4BIOS.der`, FILE the time at which the certificate expires,
in seconds since 1970. Errors in the keys are reported.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

from kbimg_tasks.tools import in_memory
from kbimg_tasks.tools.trust_names import CERTIFICATE, DATABASE, DER, KEY, NICKNAME
from kbimg_tasks.tools.user_error import UserError

CIPHER = "-aes-256-cbc"


def take(source: Path, folder: Path, passphrase: bytes) -> int:
    """Check and copy. Returns when the certificate expires, in seconds since 1970. Raises
    UserError."""
    if not (source / DER).is_file():
        raise UserError(f"{source} has no {DER}, the Secure Boot certificate")
    certificate = folder / CERTIFICATE
    try:
        in_memory.run(
            ["openssl", "x509", "-inform", "DER", "-in", source / DER, "-out", certificate]
        )
    except in_memory.Failed as failure:
        raise UserError(f"{source / DER} is no certificate in DER: {failure}") from failure
    shutil.copy(source / DER, folder / DER)
    if (source / KEY).is_file():
        from_file(source / KEY, folder / KEY, passphrase)
    elif (source / DATABASE).is_dir():
        from_database(source / DATABASE, folder / KEY, passphrase)
    else:
        raise UserError(f"{source} has neither {KEY} nor {DATABASE}, the Secure Boot key")
    (folder / KEY).chmod(0o600)
    same_key(source, folder, passphrase)
    return not_after(source / DER, certificate)


def from_file(path: Path, target: Path, passphrase: bytes) -> None:
    """Take the key from its own file."""
    text = path.read_bytes()
    if b"PRIVATE KEY-----" not in text:
        raise UserError(f"{path}: expected a private key in PEM, found none")
    if b"ENCRYPTED" not in text:
        raise UserError(
            f"{path}: expected a private key behind a passphrase, found one that "
            "everybody can use who can read it"
        )
    try:
        in_memory.run(
            [
                "openssl",
                "pkey",
                "-in",
                path,
                "-passin",
                f"file:{in_memory.file(passphrase)}",
                CIPHER,
                "-passout",
                f"file:{in_memory.file(passphrase)}",
                "-out",
                target,
            ]
        )
    except in_memory.Failed as failure:
        raise wrong_passphrase(path, failure) from failure


def from_database(database: Path, target: Path, passphrase: bytes) -> None:
    """Take the key from a copy of an NSS database: opening a database can change it."""
    copy, container = in_memory.HOME / DATABASE, in_memory.HOME / "key.p12"
    shutil.copytree(database, copy)
    listing = ["certutil", "-K", "-d", copy, "-f"]
    try:
        in_memory.run([*listing, in_memory.file(passphrase)])
    except in_memory.Failed as failure:
        raise wrong_passphrase(database, failure) from failure
    try:
        in_memory.run(
            [
                "pk12util",
                "-o",
                container,
                "-n",
                NICKNAME,
                "-d",
                copy,
                "-k",
                in_memory.file(passphrase),
                "-w",
                in_memory.file(passphrase),
            ]
        )
    except in_memory.Failed as failure:
        raise UserError(f"{database} has no key called {NICKNAME}: {failure}") from failure
    in_memory.run(
        [
            "openssl",
            "pkcs12",
            "-in",
            container,
            "-nocerts",
            "-passin",
            f"file:{in_memory.file(passphrase)}",
            "-passout",
            f"file:{in_memory.file(passphrase)}",
            "-out",
            target,
        ]
    )


def wrong_passphrase(path: Path, failure: Exception) -> UserError:
    """The error message about a key that does not open."""
    return UserError(f"expected the passphrase of {path}, found another: {failure}")


def same_key(source: Path, folder: Path, passphrase: bytes) -> None:
    """Check that the key is RSA, which shim and every firmware support, and the certificate's."""
    public = in_memory.run(
        [
            "openssl",
            "pkey",
            "-in",
            folder / KEY,
            "-passin",
            f"file:{in_memory.file(passphrase)}",
            "-pubout",
        ]
    )
    described = in_memory.run(
        [
            "openssl",
            "pkey",
            "-in",
            folder / KEY,
            "-passin",
            f"file:{in_memory.file(passphrase)}",
            "-noout",
            "-text_pub",
        ]
    )
    if b"Modulus" not in described:
        kind = described.split(b"\n", 1)[0].decode("utf-8", "replace")
        raise UserError(f"{source}: expected a Secure Boot key of RSA, found {kind}")
    certified = in_memory.run(["openssl", "x509", "-in", folder / CERTIFICATE, "-noout", "-pubkey"])
    if public != certified:
        raise UserError(f"{source}: the Secure Boot key is not that of {DER}")


def not_after(path: Path, certificate: Path) -> int:
    """When a certificate expires. Raises UserError if it has expired."""
    text = in_memory.run(["openssl", "x509", "-in", certificate, "-noout", "-enddate"]).decode()
    end = text.strip().partition("=")[2]
    # The format of C's asctime, followed by the time zone.
    seconds = int(parsedate_to_datetime(_as_mail(end)).timestamp())
    if seconds <= time.time():
        raise UserError(
            f"{path}: the certificate has expired, on {end}; docs/dm-verity.md says "
            "how to go over to new keys"
        )
    return seconds


def _as_mail(text: str) -> str:
    """`Nov 24 11:00:00 2046 GMT` in the order of RFC 5322."""
    month, day, clock, year, _ = text.split()
    return f"{day} {month} {year} {clock} +0000"


def main() -> int:
    """Check and copy."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--not-after", type=Path, required=True)
    options = parser.parse_args()
    try:
        end = take(options.source, options.folder, in_memory.first_line())
    except (UserError, in_memory.Failed) as error:
        print(f"efi_key: {error}", file=sys.stderr)
        return 1
    options.not_after.write_text(f"{end}\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
