"""Runs programs that are not steps of a stage: queries, and actions outside the output
directory."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Callable

from kbimg_tasks.host.containment import BUILDER, CONTAINMENT

Ended = subprocess.CompletedProcess


def _started(argv: Sequence[str], stderr: int) -> subprocess.Popen[str]:
    """Start a program with the caller's environment, in namespaces that end with this process."""
    return subprocess.Popen(
        [*CONTAINMENT, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, BUILDER: str(os.getpid())},
    )


def run(argv: Sequence[str], timeout: float | None = None) -> Ended[str]:
    """Run a program to its end, with the caller's environment; it dies with this process.

    Standard output and error are separate. Raises subprocess.TimeoutExpired.
    """
    with _started(argv, subprocess.PIPE) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Ended(argv, process.returncode, stdout, stderr)


def follow(argv: Sequence[str], report: Callable[[str], None]) -> int:
    """Run a program to its end as `run` does, and pass each line to `report` when it is printed.
    Returns the exit status."""
    with _started(argv, subprocess.STDOUT) as process:
        try:
            for line in process.stdout or ():
                report(line.rstrip())
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def error_line(ended: Ended[str]) -> str:
    """The last line of the error output of a failed program."""
    lines = (ended.stderr or ended.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit status {ended.returncode}"
