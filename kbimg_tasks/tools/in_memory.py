"""Secrets for programs that want a file, and folders for those that want a folder.

A file is only in memory (memfd_create(2)), and only this process and its children can open it. HOME
is a file system in memory that the stage mounts for its program, and that ends with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HOME = Path("/dev/shm")


class Failed(Exception):
    """A program failed; the text is what it printed."""


def file(secret: bytes) -> str:
    """The path of a new file with a secret. Some programs continue reading where they stopped
    before, so each use needs its own file."""
    place = os.memfd_create("secret", 0)  # without MFD_CLOEXEC: the program inherits it
    os.write(place, secret)
    return f"/proc/{os.getpid()}/fd/{place}"


def run(argv: Sequence[object], **env: str) -> bytes:
    """The output of a program, whose arguments must not contain secrets. Raises Failed."""
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        env={**os.environ, **env},
    )
    if done.returncode != 0:
        text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise Failed(text or f"{argv[0]}: exit status {done.returncode}")
    return done.stdout


def first_line() -> bytes:
    """The secret on standard input."""
    return sys.stdin.buffer.readline().rstrip(b"\n")
