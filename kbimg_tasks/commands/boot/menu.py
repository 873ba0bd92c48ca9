"""Reads and writes grub.cfg in a disk image, by mtools or e2fsprogs."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

from kbimg_tasks.host import process
from kbimg_tasks.machine.architecture import consoles
from kbimg_tasks.machine.partitions import FIRST_MIB
from kbimg_tasks.tools.units import MIB
from kbimg_tasks.tools.user_error import UserError

ON_ESP = "::/EFI/openEuler/grub.cfg"
KERNEL_LINE = re.compile(r"(?m)^(\s*linux .*)$")


@frozen
class Menu:
    """grub.cfg in a disk image that is not verified: on the ESP or, with `is_legacy`, on the ext4
    file system that GRUB reads when it is booted by a BIOS."""

    disk: Path
    is_legacy: bool = False

    def read(self) -> str:
        """Its text."""
        text = self._debugfs("cat /grub.cfg") if self.is_legacy else self._mtools("mtype", ON_ESP)
        if "menuentry" not in text:  # debugfs returns 0 even if it fails
            raise UserError(f"{self.disk.name} has no menu of GRUB where it is looked for")
        return text

    def write(self, text: str, folder: Path) -> None:
        """Replace the text; `folder` is for a temporary file."""
        edited = folder / "grub.cfg"
        edited.write_text(text, encoding="utf-8")
        if self.is_legacy:
            self._debugfs("rm /grub.cfg")
            self._debugfs(f'write "{edited}" /grub.cfg')
        else:
            self._mtools("mcopy", "-o", str(edited), ON_ESP)

    def _mtools(self, program: str, *words: str) -> str:
        return _run(program, "-i", f"{self.disk}@@{FIRST_MIB}M", *words)

    def _debugfs(self, request: str) -> str:
        return _run("debugfs", "-w", "-R", request, f"{self.disk}?offset={FIRST_MIB * MIB}")


def with_console(text: str, serial: str) -> str:
    """A grub.cfg whose kernels use the screen and a serial console."""
    return KERNEL_LINE.sub(rf"\1 {consoles(serial)}", text)


def _run(*argv: str) -> str:
    done = process.run(argv)
    if done.returncode != 0:
        raise UserError(f"{argv[0]}: {process.error_line(done)}")
    return done.stdout
