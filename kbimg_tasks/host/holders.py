"""Processes that hold a directory or a mount, and ending them.

`fuser -m` finds every process with a file on the same file system: for a bind mount of the host's
/dev, nearly all of them. This module finds only those that hold that mount, or a path below it.
"""

from __future__ import annotations

import os
import pwd
import select
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from attrs import frozen

from kbimg_tasks.host.mounts import number_of

PROC = Path("/proc")
PATIENCE_SECONDS = 5.0
COMMAND_LENGTH = 200


@frozen
class Holder:
    """A process that holds something; `by` says what."""

    pid: int
    user: str
    command: str
    by: str

    def __str__(self) -> str:
        # A name may contain control sequences of a terminal.
        text = f"process {self.pid} of {self.user}: {self.command} ({self.by})"
        return "".join(sign if sign.isprintable() else "?" for sign in text)


def holding(tops: Collection[str], mount_numbers: Collection[int] = ()) -> list[Holder]:
    """The other processes that use something at or below one of the absolute paths `tops`, or on
    one of the mounts: as working or root directory, program, open or mapped file."""
    found = []
    for entry in sorted(PROC.iterdir(), key=lambda entry: entry.name.zfill(10)):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                by = _held_by(entry, tops, set(mount_numbers))
                if by:
                    found.append(Holder(int(entry.name), _user(entry), _command(entry), by))
            except OSError:
                continue  # it ended meanwhile
    return found


def _held_by(process: Path, tops: Collection[str], numbers: set[int]) -> str | None:
    for name, what in (("cwd", "works in"), ("root", "has as its root"), ("exe", "is")):
        if text := _held(process / name, tops, numbers):
            return f"{what} {text}"
    for link in sorted((process / "fd").iterdir()):
        if text := _held(link, tops, numbers):
            return f"has open {text}"
    for text, inode in _mapped(process):
        if _is_below(text, tops) and _inode(text) == inode:
            return f"has mapped {text}"
    return None


def _held(link: Path, tops: Collection[str], numbers: set[int]) -> str | None:
    """The target of a link in /proc, if it is below one of the paths or on one of the mounts."""
    try:
        text = os.readlink(link)
        if _is_below(text, tops):
            # Another namespace may have another file of that name.
            plain = text[: -len(" (deleted)")] if text.endswith(" (deleted)") else None
            seen = os.stat(link)
            if plain is not None or os.path.samestat(seen, os.lstat(text)):
                return text
        if numbers:
            number = os.open(link, os.O_PATH | os.O_CLOEXEC)
            try:
                return text if number_of(number) in numbers else None
            finally:
                os.close(number)
    except OSError:
        pass  # a kernel thread has no program, and files are closed while we look
    return None


def _is_below(text: str, tops: Collection[str]) -> bool:
    return any(text == top or text.startswith(top + os.sep) for top in tops)


def _mapped(process: Path) -> Iterator[tuple]:
    for line in (process / "maps").read_text("utf-8", "surrogateescape").splitlines():
        words = line.split(None, 5)
        if len(words) == 6 and words[5].startswith("/"):
            yield words[5], int(words[4])


def _inode(path: str) -> int | None:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None


def _user(process: Path) -> str:
    number = process.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _command(process: Path) -> str:
    words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    text = " ".join(words).strip() or f"[{(process / 'comm').read_text().strip()}]"
    return text[:COMMAND_LENGTH]


def own_line() -> set[int]:
    """This process and its ancestors, which must not be ended."""
    found, pid = set(), os.getpid()
    while pid > 0:
        found.add(pid)
        # proc_pid_stat(5): the name, in parentheses, may hold blanks and parentheses.
        pid = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return found | {1}


def end(found: Collection[Holder]) -> list[Holder]:
    """End the processes by SIGTERM, and the remaining ones by SIGKILL. Returns those still
    running."""
    spared = own_line()
    handles = {}
    for holder in found:
        if holder.pid not in spared:
            try:
                handles[holder] = os.pidfd_open(holder.pid)
            except ProcessLookupError:
                continue
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for handle in handles.values():
                try:
                    signal.pidfd_send_signal(handle, number)
                except ProcessLookupError:
                    continue
            until = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < until and not all(map(_has_ended, handles.values())):
                time.sleep(0.02)
        return [
            holder
            for holder in found
            if holder.pid in spared or (holder in handles and not _has_ended(handles[holder]))
        ]
    finally:
        for handle in handles.values():
            os.close(handle)


def _has_ended(handle: int) -> bool:
    watch = select.poll()
    watch.register(handle, select.POLLIN)
    return bool(watch.poll(0))
