"""`kbimg boot` on a terminal, as a user runs it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
from console import BOOT_SECONDS

KBIMG = Path(sys.executable).parent / "kbimg"
PROMPT = "kbimg-test# "
CONTROL = re.compile(r"\x1b\[\??[0-9;]*[a-zA-Z]")
# Kernel messages are on the same console.
KERNEL = re.compile(r"\[ *\d+\.\d+\] ")
STATUS = "kbimg-status:"


class Terminal:
    """A terminal in which `kbimg boot` runs."""

    def __init__(self, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> None:
        self.line = pexpect.spawn(
            str(KBIMG),
            ["boot", *words],
            cwd=str(folder),
            encoding="utf-8",
            codec_errors="replace",
            timeout=BOOT_SECONDS,
            env=env,
        )  # type: ignore[arg-type]

    def login(self, user: str = "root", password: str = "openEuler12#$") -> None:
        self.line.expect("login: ")
        self.line.sendline(user)
        self.line.expect("assword: ")
        self.line.sendline(password)
        self.line.expect("[$#] ")
        # Colours, the terminal's echo and its width must not get into the output.
        self.line.sendline(
            "stty -echo cols 500; PS1='kbimg-''test# '; PS2=; "
            "bind 'set enable-bracketed-paste off' 2>/dev/null; export TERM=dumb"
        )
        self.line.expect(PROMPT)

    def run(self, command: str) -> str:
        """The output of a command, whether it succeeds or not."""
        return self.result(command)[0]

    def result(self, command: str) -> tuple[str, int]:
        """The output of a command, and its exit status."""
        self.line.sendline(f'{command}\necho "{STATUS}$?"')
        self.line.expect(STATUS)
        printed = CONTROL.sub("", self.line.before or "").replace("\r", "").replace(PROMPT, "")
        self.line.expect(PROMPT)
        lines = [line for line in printed.splitlines() if not KERNEL.match(line)]
        return "\n".join(lines).strip(), int(self.line.before or "")

    def off(self) -> None:
        """Shut the node down; `kbimg boot` must succeed."""
        self.line.sendline("systemctl poweroff")
        self._ended()

    def leave(self) -> None:
        """End QEMU with its keys."""
        self.line.send("\x01x")
        self._ended()

    def _ended(self) -> None:
        self.line.expect(pexpect.EOF)
        self.line.close()
        assert self.line.exitstatus == 0, self.line.before

    def kill(self) -> None:
        """End it in any state."""
        self.line.close(force=True)
