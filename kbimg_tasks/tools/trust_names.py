"""The names of keys, certificates and signatures: in the folder of keys, on the ESP, and beside
signed files."""

from __future__ import annotations

# Of the Secure Boot key: also its name in an NSS database, as legacy kbimg had it.
NICKNAME = "rsa4BIOS"
KEY, CERTIFICATE, DER, DATABASE = (
    f"{NICKNAME}.key",
    f"{NICKNAME}.crt",
    f"{NICKNAME}.der",
    "certdb",
)
SIGNATURE = ".sig"  # the suffix of the signature that GRUB looks for


def revoked_certificate(number: int) -> str:
    """A certificate to enroll in dbx, counted from 1."""
    return "vendor-dbx.der" if number == 1 else f"vendor-dbx-{number}.der"
