"""`kbimg boot` on a terminal, as a user sits before it."""

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
# The kernel's own messages share the line.
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
        # Neither colours, nor the terminal's echo, nor its width may get into what is read.
        self.line.sendline(
            "stty -echo cols 500; PS1='kbimg-''test# '; PS2=; "
            "bind 'set enable-bracketed-paste off' 2>/dev/null; export TERM=dumb"
        )
        self.line.expect(PROMPT)

    def run(self, command: str) -> str:
        """What a command prints, whether it succeeds or not."""
        return self.result(command)[0]

    def result(self, command: str) -> tuple[str, int]:
        """What a command prints, and its exit status."""
        self.line.sendline(f'{command}\necho "{STATUS}$?"')
        self.line.expect(STATUS)
        printed = CONTROL.sub("", self.line.before or "").replace("\r", "").replace(PROMPT, "")
        self.line.expect(PROMPT)
        lines = [line for line in printed.splitlines() if not KERNEL.match(line)]
        return "\n".join(lines).strip(), int(self.line.before or "")

    def off(self) -> None:
        """Shut the node down; the command must end well."""
        self.line.sendline("systemctl poweroff")
        self._ended()

    def leave(self) -> None:
        """End QEMU by its keys."""
        self.line.send("\x01x")
        self._ended()

    def _ended(self) -> None:
        self.line.expect(pexpect.EOF)
        self.line.close()
        assert self.line.exitstatus == 0, self.line.before

    def kill(self) -> None:
        """End it whatever it does."""
        self.line.close(force=True)
