"""fsync without effect, tested on a file system that cannot sync."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import os, ctypes
read, write = os.pipe()
for call in (os.fsync, os.fdatasync):
    try:
        call(read)
        print("done")
    except OSError as error:
        print(error.strerror)
os.write(write, b"x")
print(os.read(read, 1))
"""


def test_sync_succeeds_where_it_could_not(tool):
    """A pipe cannot be synced: the kernel refuses, unless the call does not reach it."""
    plain = subprocess.run(
        [sys.executable, "-c", CODE], check=True, text=True, capture_output=True
    ).stdout
    assert plain.splitlines() == ["Invalid argument"] * 2 + ["b'x'"]
    done = tool("nosync", "--", sys.executable, "-c", CODE)
    assert done.stdout.splitlines() == ["done"] * 2 + ["b'x'"], done.stderr


def test_it_reaches_what_the_program_starts(tool, tmp_path):
    done = tool("nosync", "--", "sh", "-c", f"'{sys.executable}' -c '{CODE}'")
    assert done.stdout.splitlines()[0] == "done"


def test_usage(tool):
    assert tool("nosync", "true").stderr == "nosync: expected -- PROGRAM\n"
    missing = tool("nosync", "--", "/no/such/program")
    assert missing.returncode == 126
    assert "No such file" in missing.stderr
