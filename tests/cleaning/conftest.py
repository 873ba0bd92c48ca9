"""A mount namespace for one test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import started
from building import TOP


class Namespace:
    """Runs programs in one mount namespace with shared propagation, as under systemd."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen] = []
        self.keeper = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                "mount --make-rshared / && echo && exec sleep infinity",
            ],
            stdout=subprocess.PIPE,
        )
        assert self.keeper.stdout is not None
        self.keeper.stdout.readline()

    def argv(self, *argv: object) -> list[str]:
        return [
            "nsenter",
            f"--mount=/proc/{self.keeper.pid}/ns/mnt",
            "env",
            "-C",
            str(self.folder),
            *map(str, argv),
        ]

    def run(self, *argv: object, check: bool = True) -> str:
        done = subprocess.run(
            self.argv(*argv),
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert (done.returncode == 0) == check, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def doit(self, *argv: object, check: bool = True) -> str:
        done = started.doit(
            self.folder, "-f", str(TOP / "dodo.py"), *argv, namespace=self.keeper.pid
        )
        assert (done.returncode == 0) == check, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def python(self, text: str, *argv: object) -> str:
        return self.run("env", f"PYTHONPATH={TOP}", sys.executable, "-c", text, *argv)

    def start(self, *argv: object) -> subprocess.Popen:
        """Start a process that keeps running; it has printed a line when this returns."""
        process = subprocess.Popen(self.argv(*argv), stdout=subprocess.PIPE)
        self.started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    def mounts(self) -> str:
        return self.run("cat", "/proc/self/mountinfo")

    def close(self) -> None:
        for process in (*self.started, self.keeper):
            process.kill()
            process.wait()


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    made = Namespace(tmp_path)
    yield made
    made.close()
