"""Make, check and use the OpenPGP key for the signatures that GRUB verifies.

Usage: openpgp generate FOLDER --name=NAME < PASSPHRASE
       openpgp take FROM FOLDER [--keyring=FOLDER] < PASSPHRASE
       openpgp sign FOLDER --clock=SECONDS FILE=SIGNATURE... < PASSPHRASE

FOLDER gets, or has, `gpg.key`, the public key as GRUB reads it, and `gpg.sec`, the secret key,
encrypted with the passphrase. `take` copies both from FROM and checks them. If FROM has no
`gpg.sec`, like keys of legacy kbimg, the secret key is taken from a keyring, by default that of
root.

GnuPG works in a folder in memory: the path of its agent's socket must be short (unix(7): 108
bytes), and the agent, which caches passphrases and would accept a wrong one, ends with it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from kbimg_tasks.tools import in_memory
from kbimg_tasks.tools.user_error import UserError

PUBLIC, SECRET = "gpg.key", "gpg.sec"
ROOTS_OWN = Path("/root/.gnupg")
# The files of a keyring with keys, without sockets: GnuPG 2.1 and later.
KEYRING = ("pubring.kbx", "pubring.gpg", "private-keys-v1.d")
RSA = "1"  # RFC 4880, 9.1; GRUB knows DSA besides, and nothing newer
TRIAL = b"kbimg\n"


class Keyring:
    """A folder in memory in which GnuPG works, with one passphrase."""

    def __init__(self, passphrase: bytes, name: str = "gnupg") -> None:
        self.passphrase = passphrase
        self.home = in_memory.HOME / name
        self.home.mkdir(mode=0o700)

    def gpg(self, *words: object) -> bytes:
        """Run GnuPG."""
        return in_memory.run(
            [
                "gpg",
                "--homedir",
                self.home,
                "--batch",
                "--yes",
                "--quiet",
                "--no-tty",
                "--pinentry-mode",
                "loopback",
                "--passphrase-file",
                in_memory.file(self.passphrase),
                *words,
            ]
        )

    def keys(self, kind: str) -> list[dict[str, str]]:
        """The primary keys: kind `pub` or `sec`, with what doc/DETAILS of GnuPG calls fields."""
        listing = "--list-keys" if kind == "pub" else "--list-secret-keys"
        lines = self.gpg("--with-colons", listing).decode("utf-8", "replace").splitlines()
        rows = (line.split(":") for line in lines)
        return [
            {"trust": row[1], "algorithm": row[3], "id": row[4]} for row in rows if row[0] == kind
        ]


def generate(folder: Path, passphrase: bytes, name: str) -> None:
    """Generate a key of 4096 bits that does not expire: nodes do not compare dates."""
    ring = Keyring(passphrase)
    ring.gpg("--quick-generate-key", name, "rsa4096", "sign", "never")
    write(ring, folder)


def write(ring: Keyring, folder: Path) -> None:
    """Write both parts of the only key."""
    number = ring.keys("sec")[0]["id"]
    ring.gpg("--output", folder / PUBLIC, "--export", number)
    ring.gpg("--output", folder / SECRET, "--export-secret-keys", number)
    (folder / SECRET).chmod(0o600)


def take(source: Path, folder: Path, passphrase: bytes, elsewhere: Path) -> None:
    """Check the keys and copy them; the secret key can be in a keyring. Raises UserError."""
    if not (source / PUBLIC).is_file():
        raise UserError(f"{source} has no {PUBLIC}, the public OpenPGP key")
    ring = Keyring(passphrase)
    number = imported(ring, source / PUBLIC, "pub")
    secret = source / SECRET
    if not secret.is_file():
        secret = out_of_keyring(elsewhere, number, source, passphrase)
    if number != imported(ring, secret, "sec"):
        raise UserError(f"{secret} is not the secret part of {source / PUBLIC} (key {number})")
    trial = in_memory.HOME / "trial"
    trial.write_bytes(TRIAL)
    try:
        ring.gpg("--local-user", number, "--detach-sign", trial)
    except in_memory.Failed as failure:
        raise wrong_passphrase(source, failure) from failure
    write(ring, folder)


def imported(ring: Keyring, path: Path, kind: str) -> str:
    """Import the only key in a file. Returns its fingerprint. Raises UserError."""
    try:
        ring.gpg("--import", path)
    except in_memory.Failed as failure:
        raise UserError(f"{path} holds no OpenPGP key: {failure}") from failure
    keys = ring.keys(kind)
    if len(keys) != 1:
        raise UserError(f"{path}: expected one OpenPGP key, found {len(keys)}")
    key = keys[0]
    if key["algorithm"] != RSA:
        raise UserError(
            f"{path}: expected an RSA key, the only kind that this GRUB can check; "
            f"found algorithm {key['algorithm']} of RFC 4880"
        )
    if key["trust"] in ("e", "r"):
        raise UserError(
            f"{path}: the OpenPGP key {key['id']} has "
            f"{'expired' if key['trust'] == 'e' else 'been revoked'}"
        )
    return key["id"]


def wrong_passphrase(place: Path, failure: Exception) -> UserError:
    """The error message about a key that does not open."""
    return UserError(
        f"expected the passphrase of the OpenPGP key in {place}, found another: {failure}"
    )


def out_of_keyring(keyring: Path, number: str, source: Path, passphrase: bytes) -> Path:
    """The secret key that legacy kbimg left in root's keyring, as a file. Raises UserError."""
    ring = Keyring(passphrase, "roots-own")
    for name in KEYRING:
        found = keyring / name
        if found.is_dir():
            shutil.copytree(found, ring.home / name)
        elif found.is_file():
            shutil.copy(found, ring.home / name)
    if number not in [key["id"] for key in ring.keys("sec")]:
        raise UserError(
            f"{source} has no {SECRET}, and the secret OpenPGP key {number} is not in "
            f"{keyring} either"
        )
    exported = in_memory.HOME / SECRET
    try:
        ring.gpg("--output", exported, "--export-secret-keys", number)
    except in_memory.Failed as failure:
        raise wrong_passphrase(keyring, failure) from failure
    return exported


def sign(folder: Path, passphrase: bytes, clock: str, files: list[str]) -> None:
    """Make detached signatures with the clock's time: the same key and file give the same bytes."""
    ring = Keyring(passphrase)
    ring.gpg("--import", folder / SECRET)
    for pair in files:
        path, _, signature = pair.partition("=")
        ring.gpg(
            "--faked-system-time",
            f"{clock}!",
            "--ignore-time-conflict",
            "--ignore-valid-from",
            "--digest-algo",
            "SHA256",
            "--output",
            signature,
            "--detach-sign",
            path,
        )


def main() -> int:
    """Run one of the three commands."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("generate")
    making.add_argument("folder", type=Path)
    making.add_argument("--name", required=True)
    taking = commands.add_parser("take")
    taking.add_argument("source", type=Path)
    taking.add_argument("folder", type=Path)
    taking.add_argument("--keyring", type=Path, default=ROOTS_OWN)
    signing = commands.add_parser("sign")
    signing.add_argument("folder", type=Path)
    signing.add_argument("--clock", required=True)
    signing.add_argument("files", nargs="+", metavar="FILE=SIGNATURE")
    options = parser.parse_args()
    passphrase = in_memory.first_line()
    try:
        if options.command == "generate":
            generate(options.folder, passphrase, options.name)
        elif options.command == "take":
            take(options.source, options.folder, passphrase, options.keyring)
        else:
            sign(options.folder, passphrase, options.clock, options.files)
    except (UserError, in_memory.Failed) as error:
        print(f"openpgp: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
