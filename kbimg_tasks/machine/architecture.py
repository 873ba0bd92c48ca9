"""The architectures that images are made for, with the names that differ between them.

The steps of a build are the same for all of them. Sources: the UEFI specification,
3.5.1.1 (names of boot programs), grub-mkimage(1) (formats), the OCI image specification (Go's names
of architectures); packages are named as openEuler names them.
"""

from __future__ import annotations

import platform

from attrs import frozen

# The format of a GRUB image for legacy BIOS.
BIOS_FORMAT = "i386-pc"
LEGACY_PACKAGES = ("grub2",)


@frozen
class Architecture:
    """The names on one architecture.

    `name` is that of the kernel and RPM, `oci` that of Go, `efi` the suffix of UEFI programs,
    `grub_format` the format of a GRUB image for UEFI, `serial` the Linux name of the first serial
    port. `modules` are the packages of GRUB's modules. `has_bios` is set if machines with legacy
    BIOS exist.
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
        """The program that firmware starts from a disk without a boot entry."""
        return f"BOOT{self.efi.upper()}.EFI"

    @property
    def fallback_list(self) -> str:
        """The file from which shim's fallback reads the boot entries to create."""
        return f"BOOT{self.efi.upper()}.CSV"

    def packages(self, *, legacy: bool = False) -> tuple[str, ...]:
        """The packages that an image needs in addition to the user's in order to boot."""
        return LEGACY_PACKAGES if legacy else ("grub2-efi", "grub2-tools", *self.modules)

    @property
    def verity_packages(self) -> tuple[str, ...]:
        """The packages that a verified image needs in addition."""
        return ("efibootmgr", f"grub2-efi-{self.efi}", "mokutil", "shim", "veritysetup")


def consoles(serial: str) -> str:
    """The kernel's arguments for consoles on the screen and on a serial port."""
    return f"console=tty0 console={serial},115200"


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
# Other common names of the architectures.
ALIASES = {each.oci: each.name for each in (X86_64, AARCH64)}


def named(text: str) -> Architecture:
    """The architecture of this name. Raises KeyError if images cannot be made for it."""
    return ARCHITECTURES[ALIASES.get(text, text)]


def of_this_machine() -> Architecture:
    """The host's architecture, or x86-64 if it is unsupported, so that a plan can be shown
    there."""
    return ARCHITECTURES.get(platform.machine(), X86_64)
