"""Write GRUB's user.cfg from a password on standard input.

Usage: grub_password TARGET --salt HEX < PASSWORD

The hash is PBKDF2 with HMAC-SHA-512 (RFC 8018) in the form of GRUB's `password_pbkdf2` command
(GRUB manual, "password_pbkdf2"), made here because `grub2-mkpasswd-pbkdf2` uses a random salt, so
that two builds would differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

ROUNDS = 10000  # what grub2-mkpasswd-pbkdf2 takes
HASH_BYTES = 64


def main() -> int:
    """Write one file, mode 600."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("target", type=Path)
    parser.add_argument("--salt", type=bytes.fromhex, required=True)
    options = parser.parse_args()
    password = sys.stdin.buffer.readline().rstrip(b"\n")
    digest = hashlib.pbkdf2_hmac("sha512", password, options.salt, ROUNDS, HASH_BYTES)
    text = f"grub.pbkdf2.sha512.{ROUNDS}.{options.salt.hex()}.{digest.hex()}".upper()
    text = text.replace("GRUB.PBKDF2.SHA512", "grub.pbkdf2.sha512")
    with os.fdopen(
        os.open(options.target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w"
    ) as stream:
        stream.write(f"GRUB2_PASSWORD={text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
