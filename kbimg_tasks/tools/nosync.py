"""Run a program for which fsync(2) and similar calls succeed at once without effect.

Usage: nosync -- PROGRAM [ARGUMENT]...

mke2fs, debugfs, sfdisk, rpm and dracut wait until their data is on the disk. An interrupted stage
is deleted, so this protects nothing, and it takes more time than the rest of their work. A
seccomp(2) filter answers these system calls; child processes inherit it. On an architecture that is
not listed here the program runs unchanged.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence
from typing import NoReturn

# Audit architecture (<linux/audit.h>) and the numbers of msync, fsync, fdatasync, sync,
# sync_file_range and syncfs (<asm/unistd.h>).
SYSTEM_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, (26, 74, 75, 162, 277, 306)),
    "aarch64": (0xC00000B7, (227, 82, 83, 81, 84, 267)),
}
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, SUCCEED = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with errno 0
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # <linux/bpf_common.h>
NUMBER_OFFSET, ARCHITECTURE_OFFSET = 0, 4  # in struct seccomp_data


def program(architecture: int, numbers: Sequence[int]) -> bytes:
    """The filter, as an array of struct sock_filter."""

    def instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    count = len(numbers)
    parts: list[bytes] = [
        instruction(LOAD, 0, 0, ARCHITECTURE_OFFSET),
        instruction(JUMP_IF_EQUAL, 0, count + 1, architecture),
        instruction(LOAD, 0, 0, NUMBER_OFFSET),
    ]
    parts += [
        instruction(JUMP_IF_EQUAL, count - index, 0, number) for index, number in enumerate(numbers)
    ]
    parts += [instruction(RETURN, 0, 0, ALLOW), instruction(RETURN, 0, 0, SUCCEED)]
    return b"".join(parts)


def install(text: bytes) -> None:
    """Install the filter for this process. Raises OSError if the kernel refuses it."""
    buffer = ctypes.create_string_buffer(text, len(text))
    header = struct.pack("HxxxxxxP", len(text) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "seccomp filter")


def main(argv: Sequence[str]) -> NoReturn:
    """Install the filter, then become the program."""
    if len(argv) < 2 or argv[0] != "--":
        sys.exit("nosync: expected -- PROGRAM")
    known = SYSTEM_CALLS.get(platform.machine())
    if known:
        install(program(*known))
    os.execvp(argv[1], list(argv[1:]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        print(f"nosync: {error.strerror}: {error.filename}", file=sys.stderr)
        sys.exit(126)
