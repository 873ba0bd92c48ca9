"""QEMU's machine types, and the QEMU programs and firmware of this host."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import plumbum
from attrs import frozen

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.tools.user_error import UserError

KVM = "/dev/kvm"
EMULATION = "tcg,thread=multi"


@frozen
class Board:
    """QEMU's machine type for an architecture, and where its firmware is installed.

    `uefi` are pairs of firmware code and empty variable store, as distributions install them;
    `secure_uefi` are those with Secure Boot, and `secure` the arguments that let only the firmware
    write its variables. `emulated` is the processor model for emulation, `emulated_with_secure` the
    model and the number of processors for emulation with Secure Boot.
    """

    kind: str
    emulators: tuple[str, ...]
    uefi: tuple[tuple[str, str], ...]
    secure_uefi: tuple[tuple[str, str], ...]
    packages: str
    screen: tuple[str, ...] = ()
    secure: tuple[str, ...] = ()
    emulated: str = "max"
    emulated_with_secure: tuple[str, int] | None = None


BOARDS = {
    "x86_64": Board(
        "q35",
        ("qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm"),
        uefi=(
            ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
            ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
        ),
        secure_uefi=(
            ("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
            ("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
        ),
        packages="qemu-system-x86 and ovmf (Debian), qemu-system-x86_64 and edk2-ovmf (openEuler)",
        screen=("-vga", "std"),
        secure=(
            "-machine",
            "smm=on",
            "-global",
            "driver=cfi.pflash01,property=secure,value=on",
            "-global",
            "ICH9-LPC.disable_s3=1",
        ),
        # The kernel's clear_page_erms writes a byte at a time. On an overloaded host an emulated
        # processor makes no progress with it between two ticks, and the kernel panics (seen with
        # QEMU 7.2 at a load of four times the number of processors).
        emulated="max,erms=off",
        # With system management mode emulated processors hang: one of two while it waits for the
        # other's interrupt, and a single one with all features in Linux's clear_page_erms (seen
        # with QEMU 7.2). A single one without ERMS works.
        emulated_with_secure=("Nehalem", 1),
    ),
    "aarch64": Board(
        "virt",
        ("qemu-system-aarch64", "qemu-kvm", "/usr/libexec/qemu-kvm"),
        uefi=(
            ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
            (
                "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
                "/usr/share/edk2/aarch64/vars-template-pflash.raw",
            ),
        ),
        # Debian's AAVMF_VARS.fd is not formatted; the other stores hold certificates.
        secure_uefi=(
            ("/usr/share/AAVMF/AAVMF_CODE.ms.fd", "/usr/share/AAVMF/AAVMF_VARS.snakeoil.fd"),
        ),
        packages="qemu-system-arm and qemu-efi-aarch64 (Debian), qemu-system-aarch64 and "
        "edk2-aarch64 (openEuler)",
        # The architecture's own algorithm of pointer authentication is slow to emulate
        # (https://www.qemu.org/docs/master/system/arm/cpu-features.html).
        emulated="max,pauth-impdef=on",
    ),
}


def emulator(board: Board) -> str:
    """QEMU's name on this host."""
    for name in board.emulators:
        if shutil.which(name):
            return name
    raise UserError(f"no QEMU: install {board.packages}")


def firmware(board: Board, *, is_secure: bool = False) -> tuple[Path, Path]:
    """The files of UEFI's code and of its empty variable store on this host."""
    for code, variables in board.secure_uefi if is_secure else board.uefi:
        if os.path.exists(code) and os.path.exists(variables):
            return Path(code), Path(variables)
    raise UserError(f"no UEFI firmware: install {board.packages}")


def accelerator(architecture: Architecture) -> str:
    """KVM if QEMU starts with it on this host, else emulation on several threads.

    /dev/kvm is not enough: on some hosts QEMU stops at a processor feature. So a machine without a
    disk is started and told to quit.
    """
    if architecture.name != platform.machine() or not os.path.exists(KVM):
        return EMULATION
    board = BOARDS[architecture.name]
    probe = plumbum.local[emulator(board)][
        "-nodefaults",
        "-display",
        "none",
        "-machine",
        board.kind,
        "-accel",
        "kvm",
        "-cpu",
        "max",
        "-S",
        "-monitor",
        "stdio",
    ]
    status, _, _ = (probe << "quit\n").run(retcode=None)
    return "kvm" if status == 0 else EMULATION
