"""Starts a disk image in QEMU, with KVM where it works and by emulation elsewhere.

With `runner` the only module that starts processes.
"""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from subprocess import DEVNULL

import plumbum
from attrs import frozen

from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.machine.architecture import X86_64, Architecture

KVM = "/dev/kvm"
EMULATION = "tcg,thread=multi"
# What a kind of disk hangs on, where that is a device of its own.
CONTROLLERS = {"scsi-hd": ("-device", "virtio-scsi-pci")}


class NoMachine(Exception):
    """QEMU or its firmware is not installed; the text says what to install."""


@frozen
class Board:
    """The kind of machine that QEMU makes of an architecture.

    `uefi` are pairs of firmware code and of empty variables, where distributions place them;
    `secure_uefi` are those with Secure Boot, and `secure` what keeps the machine from writing their
    variables behind the firmware's back. `emulated_with_secure` are processor and count where
    these are emulated, `emulated` the processor elsewhere.
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
        # A byte at a time, as the kernel's clear_page_erms does it, an emulated processor that the
        # host has little time for comes to nothing between two ticks, and the kernel panics (seen
        # with QEMU 7.2 at four times the load that the host has processors for).
        emulated="max,erms=off",
        # With system management mode emulated processors get stuck: one of two before the other's
        # interrupt, and one with all features in Linux's clear_page_erms (seen with QEMU 7.2). A
        # single one without ERMS runs.
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
        # Debian's AAVMF_VARS.fd has no room laid out; the other stores know certificates.
        secure_uefi=(
            ("/usr/share/AAVMF/AAVMF_CODE.ms.fd", "/usr/share/AAVMF/AAVMF_VARS.snakeoil.fd"),
        ),
        packages="qemu-system-arm and qemu-efi-aarch64 (Debian), qemu-system-aarch64 and "
        "edk2-aarch64 (openEuler)",
        # Emulating the architecture's own algorithm of pointer authentication takes most of the
        # time (https://www.qemu.org/docs/master/system/arm/cpu-features.html).
        emulated="max,pauth-impdef=on",
    ),
}


@frozen
class Kernel:
    """What a machine starts instead of its disk: a kernel, an initramfs and their command line."""

    image: Path
    initramfs: Path
    words: str = ""


@frozen
class Machine:
    """A virtual machine: `disk` is changed by it unless `throw_away` is set.

    With `ends_at_reboot` QEMU exits when the machine restarts, and can be started again. `adapter`
    is how the disk is attached: `virtio-blk-pci`, `nvme` or `scsi-hd`. `served` are addresses of
    the user network's own, each with a command that answers a connection to its port 80. With
    `enrolled`, a store of variables that knows certificates, the firmware is one with Secure Boot;
    with `is_legacy` it is a BIOS. `network` is what the user network is told in addition, as QEMU
    spells it. `more` are further arguments of QEMU.
    """

    disk: Path
    disk_format: str
    folder: Path
    memory_mib: int = 2048
    processors: int = 2
    ssh_port: int | None = None
    throw_away: bool = False
    ends_at_reboot: bool = False
    kernel: Kernel | None = None
    adapter: str = "virtio-blk-pci"
    served: tuple[tuple[str, str], ...] = ()
    enrolled: Path | None = None
    architecture: Architecture = X86_64
    is_legacy: bool = False
    network: str = ""
    more: tuple[str, ...] = ()

    @property
    def board(self) -> Board:
        """What QEMU is told to be."""
        return BOARDS[self.architecture.name]

    @property
    def console(self) -> Path:
        """The UNIX socket of the serial console."""
        return self.folder / "console"

    @property
    def log(self) -> Path:
        """Everything that the machine wrote on its console."""
        return self.folder / "console.log"

    def argv(
        self,
        emulator: str,
        accelerator: str,
        firmware: tuple[Path, Path] | None,
        on_terminal: bool = False,
    ) -> list[str]:
        """QEMU's command line. Without `firmware`, UEFI's code and variables, it has a BIOS. The
        serial line is a socket, or `on_terminal` the terminal, with QEMU's monitor behind Ctrl-A.
        """
        forward = self.network
        forward += f",hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22" if self.ssh_port else ""
        forward += "".join(
            f",guestfwd=tcp:{address}:80-cmd:{command}" for address, command in self.served
        )
        identity = ",serial=kbimg" if self.adapter == "nvme" else ""
        start = (
            []
            if self.kernel is None
            else [
                "-kernel",
                str(self.kernel.image),
                "-initrd",
                str(self.kernel.initramfs),
                "-append",
                self.kernel.words,
            ]
        )
        snapshot = ",snapshot=on" if self.throw_away else ""
        processor, count = "max", self.processors
        if accelerator == EMULATION:
            processor = self.board.emulated
            if self.enrolled and self.board.emulated_with_secure:
                processor, count = self.board.emulated_with_secure
        flash = (
            [
                word
                for unit, (path, more) in enumerate(zip(firmware, (",readonly=on", "")))
                for word in ("-drive", f"if=pflash,unit={unit},format=raw{more},file={path}")
            ]
            if firmware
            else []
        )
        # A list of QEMU's would take the boot entries of the disk's own programs away.
        first = "" if self.enrolled else ",bootindex=1"
        return [
            emulator,
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            *self.board.screen,
            "-machine",
            self.board.kind,
            *(self.board.secure if self.enrolled else ()),
            "-accel",
            accelerator,
            "-cpu",
            processor,
            "-smp",
            str(count),
            "-m",
            str(self.memory_mib),
            *flash,
            "-drive",
            f"if=none,id=disk,format={self.disk_format},file={self.disk},cache=unsafe{snapshot}",
            *CONTROLLERS.get(self.adapter, ()),
            "-device",
            f"{self.adapter},drive=disk{first}{identity}",
            *start,
            "-netdev",
            f"user,id=net{forward}",
            "-device",
            "virtio-net-pci,netdev=net",
            "-device",
            "virtio-rng-pci",
            *(["-no-reboot"] if self.ends_at_reboot else []),
            *(("-serial", "mon:stdio") if on_terminal else self._sockets()),
            *self.more,
        ]

    def _sockets(self) -> tuple[str, ...]:
        return (
            "-chardev",
            f"socket,id=console,path={self.console},server=on,wait=on,"
            f"logfile={self.log},logappend=on",
            "-serial",
            "chardev:console",
            "-monitor",
            f"unix:{self.folder / 'monitor'},server=on,wait=off",
        )

    def start(self):
        """Start it; the process ends with this one. It waits for a reader of its console."""
        argv = self._command()
        with open(self.folder / "qemu.log", "wb") as log:
            return plumbum.local[argv[0]].popen(
                argv[1:], stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def run_on_terminal(self) -> int:
        """Run it to its end with the caller's terminal as its serial line; QEMU's exit status."""
        argv = self._command(on_terminal=True)
        return int(
            plumbum.local[argv[0]].popen(argv[1:], stdin=None, stdout=None, stderr=None).wait()
        )

    def _command(self, *, on_terminal: bool = False) -> list[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return [
            *CONTAINMENT,
            *self.argv(
                emulator(self.board),
                accelerator(self.architecture),
                None if self.is_legacy else self._own_firmware(),
                on_terminal,
            ),
        ]

    def _own_firmware(self) -> tuple[Path, Path]:
        """UEFI's code, and variables that this machine alone writes."""
        code, variables = firmware(self.board, is_secure=self.enrolled is not None)
        own = self.folder / "variables.fd"
        if not own.exists():
            shutil.copyfile(self.enrolled or variables, own)
        return code, own


def emulator(board: Board) -> str:
    """QEMU's name on this host."""
    for name in board.emulators:
        if shutil.which(name):
            return name
    raise NoMachine(f"no QEMU: install {board.packages}")


def firmware(board: Board, *, is_secure: bool = False) -> tuple[Path, Path]:
    """UEFI's code and its empty variable store, of a kind that is here."""
    for code, variables in board.secure_uefi if is_secure else board.uefi:
        if os.path.exists(code) and os.path.exists(variables):
            return Path(code), Path(variables)
    raise NoMachine(f"no UEFI firmware: install {board.packages}")


def accelerator(architecture: Architecture) -> str:
    """KVM if QEMU can really start with it here, else emulation on several threads.

    /dev/kvm alone says little: on some hosts it is there and QEMU then stops at a processor
    feature, so a machine without a disk is started and told to quit.
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
