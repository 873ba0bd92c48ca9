"""QEMU's monitor: stops, saves and changes a machine."""

from __future__ import annotations

import shlex
import socket
import time
from pathlib import Path

PROMPT = b"(qemu) "
SECONDS = 120


class Monitor:
    """The monitor of a running machine, on its UNIX socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SECONDS)
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self._answer()

    def do(self, command: str) -> str:
        """Run a command. Returns its output without the echo."""
        self._socket.sendall(command.encode() + b"\n")
        return self._answer()

    def save(self, path: Path) -> None:
        """Stop the machine and write its state to a file; the disk is not included."""
        self.do("stop")
        self.do("migrate_set_parameter max-bandwidth 100G")
        self.do(f'migrate -d "exec:cat > {shlex.quote(str(path))}"')
        self._migrated()

    def load(self, path: Path) -> None:
        """Resume a machine that waits for its state from a file."""
        self.do(f'migrate_incoming "exec:cat {shlex.quote(str(path))}"')
        self._migrated()
        self.do("cont")

    def _migrated(self) -> None:
        deadline = time.monotonic() + SECONDS
        while "completed" not in (told := self.do("info migrate")):
            assert "failed" not in told, told
            assert time.monotonic() < deadline, told
            time.sleep(0.1)

    def _answer(self) -> str:
        """The output before the next prompt."""
        found = b""
        while not found.endswith(PROMPT):
            block = self._socket.recv(1 << 16)
            if not block:  # it has ended
                break
            found += block
        return found.decode(errors="replace")

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
