"""Booted nodes, saved once and resumed by each test that needs one. A saved node is logged in as
root, and its services have started. The machine's state, its disk and its firmware variables are
saved; a resumed node has its own copies of the last two."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import secure_boot
from attrs import frozen
from console import BOOT_SECONDS, PROCESSORS, Node, with_console

from kbimg_tasks.commands.boot.hardware import Bios, Drive, Uefi
from kbimg_tasks.commands.boot.vm import VirtualMachine
from kbimg_tasks.machine.architecture import AARCH64, X86_64, Architecture


@frozen
class Kind:
    """How images of a kind are booted."""

    architecture: Architecture = X86_64
    is_legacy: bool = False
    is_verified: bool = False
    adapter: str = "virtio-blk-pci"

    def disk(self, out: Path, folder: Path) -> Path:
        """The disk of a new node, whose kernels use the serial console. Those of a verified disk do
        so by default, and the disk cannot be changed."""
        if self.is_verified:
            return secure_boot.copy(out, folder)
        return with_console(
            out / "system.qcow2",
            folder / "disk.img",
            self.architecture.serial,
            is_legacy=self.is_legacy,
        )

    def machine(self, out: Path, folder: Path) -> VirtualMachine:
        """The machine with this disk."""
        disk = folder / "disk.img"
        if self.is_verified:
            return secure_boot.machine(out, folder, disk, self.architecture, adapter=self.adapter)
        return VirtualMachine(
            Drive(disk, adapter=self.adapter),
            folder,
            Bios() if self.is_legacy else Uefi(),
            processors=PROCESSORS,
            ends_at_reboot=True,
            architecture=self.architecture,
        )

    def node(self, out: Path, folder: Path) -> Node:
        """A new node that is booting."""
        self.disk(out, folder)
        return Node(self.machine(out, folder))


# By the fixture that builds the image. The verified one's disk has another name than the others'.
KINDS = {
    "custom_image": Kind(),
    "verified_image": Kind(is_verified=True, adapter="scsi-hd"),
    "legacy_image": Kind(is_legacy=True),
    "arm_image": Kind(AARCH64),
}


def save(kind: Kind, out: Path, folder: Path, prepare: Callable[[Path], None]) -> None:
    """Boot a node with a prepared disk, and save it in a folder."""
    prepare(kind.disk(out, folder))
    with Node(kind.machine(out, folder)) as node:
        node.login()
        node.result("systemctl is-system-running --wait", BOOT_SECONDS)
        node.save(folder / "state")


def resume(kind: Kind, out: Path, saved: Path, folder: Path) -> Node:
    """A node resumed from its saved state."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["cp", "--sparse=always", "--reflink=auto", saved / "disk.img", folder / "disk.img"],
        check=True,
    )
    for name in ("console.log", "variables.fd"):
        if (saved / name).exists():  # a BIOS has no variables
            shutil.copyfile(saved / name, folder / name)
    return Node(kind.machine(out, folder), saved / "state")
