"""Let this process and its children run programs of another machine by user emulation.

Usage: emulation MACHINE     checks whether this is possible and, if not, prints the reason

The kernel starts a foreign program by the interpreter that is registered in binfmt_misc
(https://docs.kernel.org/admin-guide/binfmt-misc.html). If the host's registration also works inside
a chroot (flag F), it is used. Otherwise the process moves into a user namespace with all users of
the host and registers qemu-user there: only its own programs see the registration, and it ends with
them (Linux 6.7 and newer).
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import sys
from pathlib import Path

from kbimg_tasks.tools.elf_format import MACHINES, MAGIC
from kbimg_tasks.tools.user_error import UserError

BINFMT = Path("/proc/sys/fs/binfmt_misc")
# <sched.h>
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
EVERY_ID = "0 0 4294967295"  # user_namespaces(7)
# Keep argv[0], open the program beforehand, and keep the interpreter open across a chroot.
FLAGS = "POF"
# e_machine of an ELF header (elf.h), which is little endian, 64 bits, an executable or a shared
# object.
PATTERN = MAGIC + b"\x02\x01\x01" + bytes(9) + b"\x02\x00"
MASK = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff"

_libc = ctypes.CDLL(None, use_errno=True)


def interpreter(machine: str) -> str:
    """qemu-user as a static program, which needs no library of the tree."""
    found = shutil.which(f"qemu-{machine}-static")
    if found is None:
        raise UserError(
            f"no qemu-{machine}-static, which runs programs for {machine}: it is in "
            "the package qemu-user-static"
        )
    return found


def header(machine: str) -> tuple[bytes, bytes]:
    """The first bytes of an ELF program for a machine, and the mask of the bits that count."""
    number = MACHINES[machine].to_bytes(2, "little")
    return PATTERN + number, MASK + b"\xff\xff"


def is_registered(machine: str, folder: Path = BINFMT) -> bool:
    """Whether the host runs programs of the machine, also inside a chroot."""
    try:
        texts = [
            path.read_text(encoding="ascii")
            for path in folder.iterdir()
            if path.name not in ("register", "status")
        ]
        is_on = (folder / "status").read_text(encoding="ascii").startswith("enabled")
    except OSError:
        return False
    return is_on and any(_serves(text, machine) for text in texts)


def _serves(text: str, machine: str) -> bool:
    lines = dict(re.findall(r"(?m)^(\w+):? ?(.*)$", text))
    magic = bytes.fromhex(lines.get("magic", ""))
    mask = bytes.fromhex(lines.get("mask", "ff" * len(magic)))
    example, _ = header(machine)
    return (
        "enabled" in lines
        and "F" in lines.get("flags", "")
        and bool(magic)
        and lines.get("offset") == "0"
        and all(a & m == b & m for a, b, m in zip(example, magic, mask))
    )


def enable(machine: str) -> None:
    """Make programs of the machine run from now on. Raises UserError if that is not possible.

    The process must be root and have only one thread. It must mount everything before, because the
    user namespace gets a copy of its mounts.
    """
    if machine == platform.machine() or is_registered(machine):
        return
    program = interpreter(machine)
    try:
        _enter_user_namespace()
        _call("mount", b"binfmt_misc", os.fsencode(BINFMT), b"binfmt_misc", 0, None)
        magic, mask = (b"".join(b"\\x%02x" % byte for byte in part) for part in header(machine))
        line = b":".join(
            (
                b"",
                f"kbimg-{machine}".encode(),
                b"M",
                b"",
                magic,
                mask,
                os.fsencode(program),
                FLAGS.encode(),
            )
        )
        (BINFMT / "register").write_bytes(line)
    except OSError as error:
        raise UserError(
            f"programs for {machine} cannot be run on this {platform.machine()}: the kernel "
            f"{os.uname().release} has no binfmt_misc for a user namespace (Linux 6.7 has), and "
            f"the host has none registered for {machine} with the flag F ({error.strerror}): "
            "install qemu-user-static and run systemctl restart systemd-binfmt"
        ) from error


def _call(name: str, *arguments: object | None) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _enter_user_namespace() -> None:
    """Enter a new user namespace in which every user is mapped to itself. A process outside writes
    the map, because only root there can map other users."""
    ready, begin = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(begin)
            os.read(ready, 1)
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{os.getppid()}/{name}").write_text(EVERY_ID, encoding="ascii")
            status = 0
        finally:
            os._exit(status)
    os.close(ready)
    try:
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    finally:
        os.close(begin)
        _, status = os.waitpid(child, 0)
    if status != 0:
        raise OSError(1, "users could not be mapped")


if __name__ == "__main__":
    try:
        enable(sys.argv[1])
    except UserError as error:
        sys.exit(str(error))
