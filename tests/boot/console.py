"""A booted image, seen over its serial console as an operator would see it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from attrs import evolve
from monitor import Monitor
from pexpect import EOF, TIMEOUT, socket_pexpect

from kbimg_tasks.commands.boot import menu as menus
from kbimg_tasks.commands.boot.menu import Menu
from kbimg_tasks.commands.boot.vm import VirtualMachine, start

BOOT_SECONDS = 420
# One each: emulated ones of a machine wait for each other, and the host has as many workers of the
# tests as processors.
PROCESSORS = 1
COMMAND_SECONDS = 120
PROMPT = "kbimg-test# "
WAIT_ONLINE = "NetworkManager-wait-online.service"


def with_console(
    image: Path, copy: Path, serial: str = "ttyS0", *, is_legacy: bool = False
) -> Path:
    """A raw copy of a disk image whose kernels also use the serial console."""
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, copy], check=True)
    menu = Menu(copy, is_legacy)
    text = menu.read()
    changed = menus.with_console(text, serial)
    assert changed.count(f"console={serial}") == 2, text
    menu.write(changed, copy.parent)
    assert menu.read() == changed
    return copy


class Node:
    """A running machine, logged in on its serial console."""

    def __init__(self, machine: VirtualMachine, state: Path | None = None) -> None:
        """Start the machine, or resume it from the state of a saved node."""
        self.machine = machine
        if state is None:
            self._start(machine)
        else:
            self._start(evolve(machine, more=("-incoming", "defer")))
            with Monitor(machine.folder / "monitor") as monitor:
                monitor.load(state)
            self.line.sendline(b"")
            self.expect(PROMPT)

    def _start(self, machine: VirtualMachine) -> None:
        self.process = start(machine)
        deadline = time.monotonic() + 30
        self._socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._socket.connect(str(machine.console))
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError((machine.folder / "qemu.log").read_text()) from None
                time.sleep(0.1)
        self.line = socket_pexpect.SocketSpawn(self._socket, timeout=COMMAND_SECONDS)

    def login(self, user: str = "root", password: str = "openEuler12#$") -> Node:
        """Wait for the login prompt and log in."""
        self.expect(r"login: ", BOOT_SECONDS)
        self.line.sendline(user.encode())
        self.expect(r"[Pp]assword: ", 60)
        self.line.sendline(password.encode())
        self.expect(r"[$#] ", 90)
        # Colours, the terminal's echo and its width must not get into the output.
        self.line.sendline(
            b"stty -echo cols 500; PS1='kbimg-test''# '; PS2=; "
            b"bind 'set enable-bracketed-paste off' 2>/dev/null; export TERM=dumb"
        )
        self.expect(PROMPT)
        self.line.sendline(b"")
        self.expect(PROMPT)
        return self

    def expect(self, pattern: str, seconds: int = COMMAND_SECONDS) -> str:
        """Wait for a pattern. Returns the output before it."""
        try:
            self.line.expect(pattern.encode(), timeout=seconds)
        except (TIMEOUT, EOF):
            text = self.machine.log.read_text(errors="replace")
            raise AssertionError(f"no {pattern!r} on the console; last:\n{text[-4000:]}") from None
        return (self.line.before or b"").decode("utf-8", "replace").replace("\r", "")

    def answer(self, line: bytes, pattern: str) -> None:
        """Send a line until the pattern appears: a program discards what was typed before it has
        set up the terminal, although it has already printed its question."""
        for _ in range(COMMAND_SECONDS // 5):
            self.line.sendline(line)
            if self.line.expect([pattern.encode(), TIMEOUT], timeout=5) == 0:
                return
        self.expect(pattern, 0)

    def run(self, command: str, seconds: int = COMMAND_SECONDS) -> str:
        """The output of a command. Raises AssertionError with the output if it fails."""
        output, status = self.result(command, seconds)
        assert status == 0, f"{command}: exit status {status}\n{output}"
        return output

    def result(self, command: str, seconds: int = COMMAND_SECONDS) -> tuple[str, int]:
        """The output of a command, and its exit status."""
        self.line.sendline(f'{command}; echo "kbimg-status:$?"'.encode())
        output = self.expect(r"kbimg-status:", seconds)
        status = int(self.expect(PROMPT))
        # Kernel messages are on the same console.
        lines = [line for line in output.splitlines() if not re.match(r"\[ *\d+\.\d+\] ", line)]
        return "\n".join(lines).strip(), status

    def state(self, seconds: int) -> tuple[str, str]:
        """The state of the system when all units have started, and the units that failed.

        NetworkManager-wait-online fails after 60 seconds, less than an emulated machine needs on a
        busy host: it is started a second time.
        """
        state, failed = self._state(seconds)
        if failed == WAIT_ONLINE:
            self.run(f"systemctl restart {WAIT_ONLINE}", seconds)
            state, failed = self._state(seconds)
        return state, failed

    def _state(self, seconds: int) -> tuple[str, str]:
        state, _ = self.result("systemctl is-system-running --wait", seconds)
        return state, self.run("systemctl --failed --no-legend --plain | cut -d ' ' -f 1")

    def reboot(self) -> Node:
        """Restart and log in again, with a new QEMU: under emulation UEFI's firmware does not
        always survive a warm reset."""
        self.line.sendline(b"systemctl reboot")
        return self.comes_back()

    def comes_back(self) -> Node:
        """Wait until the machine restarts by itself, and log in again."""
        self._ended()
        self.start_again()
        return self.login()

    def start_again(self) -> None:
        """Start the machine after it has ended."""
        self.kill()
        self._start(self.machine)

    def save(self, path: Path) -> None:
        """Save the state to a file and end the machine at once, with the disk as it is."""
        with Monitor(self.machine.folder / "monitor") as monitor:
            monitor.save(path)
            monitor.do("quit")
        self.process.wait(30)

    def off(self) -> None:
        """Shut down properly, so that all data is on the disk."""
        self.line.sendline(b"sync; systemctl poweroff")
        try:
            self._ended()
        finally:
            self.kill()

    def _ended(self) -> None:
        """Wait until QEMU exits. A machine stops at its next output if nothing reads its
        console."""
        self.expect_end()
        self.process.wait(30)

    def expect_end(self, seconds: int = 180) -> str:
        """Wait until the console is closed. Returns the output before."""
        self.line.expect(EOF, timeout=seconds)
        return (self.line.before or b"").decode("utf-8", "replace").replace("\r", "")

    def kill(self) -> None:
        """End the machine at once."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._socket.close()

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def copy_of(disk: Path, place: Path) -> Path:
    """Another node's disk, made from the same image."""
    shutil.copyfile(disk, place)
    return place
