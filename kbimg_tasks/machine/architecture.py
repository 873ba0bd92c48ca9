"""The architectures that images are made for: what things are called there.

The steps of a build are the same on all of them; the names differ. Sources: the UEFI specification,
3.5.1.1 (names of boot programs), grub-mkimage(1) (formats), the OCI image specification (Go's names
of architectures); packages are named as openEuler names them.
"""

from __future__ import annotations

import platform

from attrs import frozen

# GRUB for a BIOS, which knows no UEFI program.
BIOS_FORMAT = "i386-pc"
LEGACY_PACKAGES = ("grub2",)


@frozen
class Architecture:
    """Names on one architecture.

    `name` is the kernel's and RPM's, `oci` Go's, `efi` the ending that UEFI programs have there,
    `grub_format` that of a GRUB image for UEFI, `serial` the first serial line as Linux calls it.
    `modules` are the packages of GRUB's modules. `has_bios` says whether machines with a BIOS in
    place of UEFI exist.
    """

    name: str
    oci: str
    efi: str
    grub_format: str
    serial: str
    modules: tuple[str, ...]
    has_bios: bool = False

    def efi_program(self, name: str) -> str:
        """A UEFI program of shim's or GRUB's: `grubx64.efi` for `grub`."""
        return f"{name}{self.efi}.efi"

    @property
    def removable(self) -> str:
        """What firmware starts from a disk that it knows no boot entry of."""
        return f"BOOT{self.efi.upper()}.EFI"

    @property
    def fallback_list(self) -> str:
        """Where shim's fallback reads which boot entries to make."""
        return f"BOOT{self.efi.upper()}.CSV"

    def packages(self, *, legacy: bool = False) -> tuple[str, ...]:
        """What an image needs beside the user's packages in order to start."""
        return LEGACY_PACKAGES if legacy else ("grub2-efi", "grub2-tools", *self.modules)

    @property
    def verity_packages(self) -> tuple[str, ...]:
        """What a verified image needs in addition."""
        return ("efibootmgr", f"grub2-efi-{self.efi}", "mokutil", "shim", "veritysetup")


X86_64 = Architecture(
    "x86_64",
    "amd64",
    "x64",
    "x86_64-efi",
    "ttyS0",
    ("grub2-efi-x64-modules", "grub2-pc-modules"),
    has_bios=True,
)
AARCH64 = Architecture(
    "aarch64", "arm64", "aa64", "arm64-efi", "ttyAMA0", ("grub2-efi-aa64-modules",)
)
ARCHITECTURES: dict[str, Architecture] = {each.name: each for each in (X86_64, AARCH64)}
# Other people's names of the same.
ALIASES = {each.oci: each.name for each in (X86_64, AARCH64)}


def named(text: str) -> Architecture:
    """The architecture of a name; KeyError for one that images cannot be made for."""
    return ARCHITECTURES[ALIASES.get(text, text)]


def of_this_machine() -> Architecture:
    """That of the host; x86-64 where the host is of neither, so that a plan can be shown there."""
    return ARCHITECTURES.get(platform.machine(), X86_64)
