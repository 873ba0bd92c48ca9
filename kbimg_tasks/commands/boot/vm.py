"""Starts a disk image in QEMU, with KVM where it works and by emulation elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from subprocess import DEVNULL

import plumbum
from attrs import frozen

from kbimg_tasks.commands.boot.boards import BOARDS, EMULATION, Board, accelerator, emulator
from kbimg_tasks.commands.boot.boards import firmware as installed_firmware
from kbimg_tasks.commands.boot.hardware import (
    Bios,
    Drive,
    Firmware,
    Kernel,
    Network,
    SecureBoot,
    Uefi,
    UserNetwork,
)
from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.machine.architecture import X86_64, Architecture


@frozen
class VirtualMachine:
    """A virtual machine, whose own files lie in `folder`.

    With `ends_at_reboot` QEMU exits when the machine restarts, and can be started again. `more` are
    further arguments of QEMU, after all others.
    """

    drive: Drive
    folder: Path
    firmware: Firmware = Uefi()
    network: Network = UserNetwork()
    kernel: Kernel | None = None
    architecture: Architecture = X86_64
    memory_mib: int = 2048
    processors: int = 2
    ends_at_reboot: bool = False
    more: tuple[str, ...] = ()

    @property
    def console(self) -> Path:
        """The UNIX socket of the serial console."""
        return self.folder / "console"

    @property
    def log(self) -> Path:
        """The log of the serial console."""
        return self.folder / "console.log"


@frozen
class Host:
    """What this host runs a machine with: QEMU, its accelerator, and the files of UEFI's code and
    of the machine's variables, unless it has a BIOS."""

    emulator: str
    accelerator: str
    uefi: tuple[Path, Path] | None


def start(machine: VirtualMachine):
    """Start QEMU, which ends with this process. It waits until its console is connected."""
    program, *arguments = _command(machine, _sockets(machine))
    with open(machine.folder / "qemu.log", "wb") as log:
        return plumbum.local[program].popen(
            arguments, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def run_on_terminal(machine: VirtualMachine) -> int:
    """Run the machine with the caller's terminal as its serial console; Ctrl-A C switches to QEMU's
    monitor. Returns QEMU's exit status."""
    program, *arguments = _command(machine, ("-serial", "mon:stdio"))
    process = plumbum.local[program].popen(arguments, stdin=None, stdout=None, stderr=None)
    return int(process.wait())


def argv(machine: VirtualMachine, host: Host, serial: tuple[str, ...]) -> list[str]:
    """QEMU's command line; `serial` are the arguments for the serial console."""
    board = BOARDS[machine.architecture.name]
    is_secure = isinstance(machine.firmware, SecureBoot)
    processor, count = _processors(machine, board, host.accelerator)
    return [
        *machine.network.prefix,
        host.emulator,
        "-nodefaults",
        "-no-user-config",
        *("-display", "none"),
        *board.screen,
        *("-machine", board.kind),
        *(board.secure if is_secure else ()),
        *("-accel", host.accelerator),
        *("-cpu", processor),
        *("-smp", str(count)),
        *("-m", str(machine.memory_mib)),
        *(_flash(*host.uefi) if host.uefi else ()),
        # If QEMU sets the boot order, the firmware deletes the boot entries that programs on the
        # disk have made.
        *machine.drive.argv(is_first=not is_secure),
        *(machine.kernel.argv() if machine.kernel else ()),
        *machine.network.argv(),
        *("-device", "virtio-rng-pci"),
        *(["-no-reboot"] if machine.ends_at_reboot else []),
        *serial,
        *machine.more,
    ]


def _processors(machine: VirtualMachine, board: Board, accelerated_by: str) -> tuple[str, int]:
    """The model and the number of processors."""
    if accelerated_by != EMULATION:
        return "max", machine.processors
    if isinstance(machine.firmware, SecureBoot) and board.emulated_with_secure:
        return board.emulated_with_secure
    return board.emulated, machine.processors


def _flash(code: Path, variables: Path) -> tuple[str, ...]:
    return (
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"),
        *("-drive", f"if=pflash,unit=1,format=raw,file={variables}"),
    )


def _sockets(machine: VirtualMachine) -> tuple[str, ...]:
    return (
        "-chardev",
        f"socket,id=console,path={machine.console},server=on,wait=on,"
        f"logfile={machine.log},logappend=on",
        *("-serial", "chardev:console"),
        *("-monitor", f"unix:{machine.folder / 'monitor'},server=on,wait=off"),
    )


def _command(machine: VirtualMachine, serial: tuple[str, ...]) -> list[str]:
    machine.folder.mkdir(parents=True, exist_ok=True)
    board = BOARDS[machine.architecture.name]
    host = Host(emulator(board), accelerator(machine.architecture), _uefi(machine, board))
    return [*CONTAINMENT, *argv(machine, host, serial)]


def _uefi(machine: VirtualMachine, board: Board) -> tuple[Path, Path] | None:
    """UEFI's code, and the variable store of this machine, created before its first start."""
    wanted = machine.firmware
    if isinstance(wanted, Bios):
        return None
    is_secure = isinstance(wanted, SecureBoot)
    code, empty = installed_firmware(board, is_secure=is_secure)
    own = machine.folder / "variables.fd"
    if not own.exists():
        shutil.copyfile(wanted.variables if isinstance(wanted, SecureBoot) else empty, own)
    return code, own
