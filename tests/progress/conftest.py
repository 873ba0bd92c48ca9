"""A small build on a terminal, whose screen is read by a terminal emulator."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pexpect
import pyte
import pytest

DODO = """
import atexit
import sys
from pathlib import Path
from kbimg_tasks.tasks import stages as graph
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.host.lifetime import tell_of_interrupts
from kbimg_tasks.progress import Display
from kbimg_tasks.tasks.reporter import reporter
from kbimg_tasks.tasks.making import Maker
from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.steps.args import Artifact, Secret, UserFile
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run
tell_of_interrupts()
here = Path(__file__).parent
layout, display = Layout(here / "out", here / "cache"), Display()
DOIT_CONFIG = {"reporter": reporter(layout, display), "backend": "sqlite3", "par_type": "thread",
               "num_process": 3, "dep_file": ":memory:", "default_tasks": ["all"]}
base, counted, written, final = (Artifact(name, name, is_result=name == "final")
                                 for name in ("base", "counted", "written", "final"))
WAIT = f"while [ ! -e {here}/go ]; do sleep 0.05; done"
COUNT = (here / "count.sh").read_text().replace("WAIT", WAIT)
stages = [
    Stage("base", "what others are made of", "1000", (base,),
          (run("head", "--bytes=4M", "/dev/urandom").into(base),)),
    Stage("counted", "a stage whose output is counted", "1000", (counted,),
          (run("sh", "-c", COUNT, "sh", counted, base).fed(Secret("password", "hidden words"))
           .counting(r"^item \\d(?: of (?P<total>\\d))?", "0", "items"),)),
    Stage("written", "a stage that writes a file", "1000", (written,),
          (run("sh", "-c", f"head --bytes=2M $1 > $2; {WAIT}", "sh", base, written)
           .growing(written, base),)),
    Stage("final", "the result", "1000", (final,), (run("cp", counted, final),
                                                    run("test", "-e", written),)),
]
cleaned = {stage.name: Cleaning(layout) for stage in stages}
def task_all():
    yield graph.ready(lambda: ())
    yield graph.outside("elsewhere", "made outside", here / "made", lambda: True,
                        display.say, ["maker"])
    yield graph.note("remark", "says something", lambda: display.say("a line of its own"),
                     ["base"])
    yield from graph.tasks(stages, Maker(layout, display), cleaned, {}, {})
    yield graph.group("all", "everything", stages[-1:], then=["remark"])
@atexit.register
def tell():
    (here / "loaded").write_text(" ".join(sys.modules))
"""
COUNT = "cat > /dev/null; echo item 1; echo 'item 2 of 5'; WAIT; echo whole > $1"


# Other work on the machine can slow it down.
PATIENCE_SECONDS = 60


class Terminal:
    """doit on a terminal with this number of columns; its screen as text."""

    def __init__(self, folder: Path, columns: int, lines: int, *argv: str, **env: str) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=5000, ratio=1)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "doit", *argv],
            cwd=folder,
            dimensions=(lines, columns),
            env={**environment, "TERM": "xterm-256color", **env},
            timeout=PATIENCE_SECONDS,
            # A job in the background of a shell without a terminal has Ctrl-C ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    @property
    def shown(self) -> list[str]:
        """The lines on the screen, without empty ones at the end."""
        rows = [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def everything(self) -> list[str]:
        """The lines on the screen with those that have been scrolled out of it."""
        gone = [
            "".join(row[column].data for column in range(self.screen.columns)).rstrip()
            for row in self.screen.history.top
        ]
        return gone + self.shown

    def read(self, seconds: float) -> bytes:
        """The output of so many seconds, shown on the screen."""
        got, until = b"", time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                got += self.process.read_nonblocking(65536, timeout=0.05)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                time.sleep(0.05)  # it has ended: its exit status is what is waited for
                break
        self.raw += got
        self._stream.feed(got)
        return got

    def wait_for(self, *texts: str) -> None:
        """Wait until the screen shows all of these."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not all(any(text in row for row in self.shown) for text in texts):
            assert time.monotonic() < until, "\n".join(self.shown)
            self.read(0.1)

    def end(self) -> int:
        """Wait for the end. Returns the exit status, negative for a signal."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.process.isalive():
            assert time.monotonic() < until, "\n".join(self.shown)
            self.read(0.1)
        self.read(0.2)
        status = self.process.exitstatus
        return -self.process.signalstatus if status is None else status

    def resize(self, columns: int, lines: int) -> None:
        """Resize the terminal."""
        self.screen.resize(lines, columns)
        self.process.setwinsize(lines, columns)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dodo.py").write_text(DODO)
    (tmp_path / "count.sh").write_text(COUNT)
    return tmp_path


@pytest.fixture
def terminal(project: Path) -> Iterator[Callable[..., Terminal]]:
    """Start the small build on a terminal; two of its stages wait for the file `go`."""
    started: list[Terminal] = []

    def start(columns: int = 80, lines: int = 24, *argv: str, **env: str) -> Terminal:
        started.append(Terminal(project, columns, lines, *argv, **env))
        return started[-1]

    yield start
    for one in started:
        one.process.close(force=True)
