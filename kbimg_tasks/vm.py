"""Starts a disk image in QEMU, with KVM where it works and by emulation elsewhere.

With `runner` the only module that starts processes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from subprocess import DEVNULL
from typing import List, Optional, Tuple

import plumbum
from attrs import frozen

from kbimg_tasks.sandbox import CONTAINMENT

# Code and variables, as Debian's ovmf and openEuler's edk2-ovmf place them.
UEFI = (
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
)
# The same with Secure Boot, whose variables the machine cannot write behind the firmware's back.
SECURE_UEFI = (
    ("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
)
SECURE = ("q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on",
          "-global", "ICH9-LPC.disable_s3=1")  # fmt: skip
EMULATORS = ("qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm")
KVM = "/dev/kvm"
EMULATION = "tcg,thread=multi"
# With system management mode, which guards the variables of Secure Boot, emulated processors get
# stuck: one of two before the other's interrupt, and one with all features in Linux's
# clear_page_erms (seen with QEMU 7.2). A single one without ERMS runs.
EMULATED_WITH_SMM = ("Nehalem", 1)


class NoMachine(Exception):
    """QEMU or its firmware is not installed; the text says what to install."""


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
    is how the disk is attached: `virtio-blk-pci` or `nvme`. `served` are addresses of the user
    network's own, each with a command that answers a connection to its port 80. With `enrolled`, a
    store of variables that knows certificates, the firmware is one with Secure Boot.
    """

    disk: Path
    disk_format: str
    folder: Path
    memory_mib: int = 2048
    processors: int = 2
    ssh_port: Optional[int] = None
    throw_away: bool = False
    ends_at_reboot: bool = False
    kernel: Optional[Kernel] = None
    adapter: str = "virtio-blk-pci"
    served: Tuple[Tuple[str, str], ...] = ()
    enrolled: Optional[Path] = None

    @property
    def console(self) -> Path:
        """The UNIX socket of the serial console."""
        return self.folder / "console"

    @property
    def log(self) -> Path:
        """Everything that the machine wrote on its console."""
        return self.folder / "console.log"

    def argv(self, emulator: str, accelerator: str, code: Path, variables: Path) -> List[str]:
        """QEMU's command line."""
        forward = f",hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22" if self.ssh_port else ""
        forward += "".join(f",guestfwd=tcp:{address}:80-cmd:{command}"
                           for address, command in self.served)
        identity = ",serial=kbimg" if self.adapter == "nvme" else ""
        start = [] if self.kernel is None else [
            "-kernel", str(self.kernel.image), "-initrd", str(self.kernel.initramfs),
            "-append", self.kernel.words]
        snapshot = ",snapshot=on" if self.throw_away else ""
        processor, count = "max", self.processors
        if self.enrolled and accelerator == EMULATION:
            processor, count = EMULATED_WITH_SMM
        # A list of QEMU's would take the boot entries of the disk's own programs away.
        first = "" if self.enrolled else ",bootindex=1"
        return [
            emulator, "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std",
            "-machine", *(SECURE if self.enrolled else ("q35",)),
            "-accel", accelerator, "-cpu", processor,
            "-smp", str(count), "-m", str(self.memory_mib),
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={variables}",
            "-drive", f"if=none,id=disk,format={self.disk_format},file={self.disk},"
                      f"cache=unsafe{snapshot}",
            "-device", f"{self.adapter},drive=disk{first}{identity}", *start,
            "-netdev", f"user,id=net{forward}", "-device", "virtio-net-pci,netdev=net",
            "-device", "virtio-rng-pci",
            "-chardev", f"socket,id=console,path={self.console},server=on,wait=on,"
                        f"logfile={self.log},logappend=on",
            "-serial", "chardev:console",
            *(["-no-reboot"] if self.ends_at_reboot else []),
            "-monitor", f"unix:{self.folder / 'monitor'},server=on,wait=off",
        ]  # fmt: skip

    def start(self):
        """Start it; the process ends with this one. It waits for a reader of its console."""
        self.folder.mkdir(parents=True, exist_ok=True)
        code, variables = firmware(SECURE_UEFI if self.enrolled else UEFI)
        own = self.folder / "variables.fd"
        if not own.exists():
            shutil.copyfile(self.enrolled or variables, own)
        argv = [*CONTAINMENT, *self.argv(emulator(), accelerator(), code, own)]
        with open(self.folder / "qemu.log", "wb") as log:
            return plumbum.local[argv[0]].popen(
                argv[1:], stdin=DEVNULL, stdout=log, stderr=log,
                start_new_session=True)


def emulator() -> str:
    """QEMU's name on this host."""
    for name in EMULATORS:
        if shutil.which(name):
            return name
    raise NoMachine("no QEMU: install qemu-system-x86 (Debian) or qemu-system-x86_64 (openEuler)")


def firmware(kinds: Tuple[Tuple[str, str], ...] = UEFI) -> Tuple[Path, Path]:
    """UEFI's code and its empty variable store, of a kind that is here."""
    for code, variables in kinds:
        if os.path.exists(code) and os.path.exists(variables):
            return Path(code), Path(variables)
    raise NoMachine("no UEFI firmware: install ovmf (Debian) or edk2-ovmf (openEuler)")


def accelerator() -> str:
    """KVM if QEMU can really start with it here, else emulation on several threads.

    /dev/kvm alone says little: on some hosts it is there and QEMU then stops at a processor
    feature, so a machine without a disk is started and told to quit.
    """
    probe = plumbum.local[emulator()][
        "-nodefaults", "-display", "none", "-machine", "q35", "-accel", "kvm", "-cpu", "max",
        "-S", "-monitor", "stdio"]
    status, _, _ = (probe << "quit\n").run(retcode=None) if os.path.exists(KVM) else (1, "", "")
    return "kvm" if status == 0 else EMULATION
