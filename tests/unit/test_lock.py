"""One build at a time in an output directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from building import TOP

from kbimg_tasks.build import lock
from kbimg_tasks.steps.layout import Layout

HOLDER = """
import os, sys
from pathlib import Path
from kbimg_tasks.build import lock
from kbimg_tasks.steps.layout import Layout
layout = Layout(Path(sys.argv[1]))
try:
    lock.hold(layout)
except lock.Busy as busy:
    sys.exit(str(busy))
if "again" in sys.argv:
    lock.hold(layout)
if "after-deletion" in sys.argv:
    layout.lock.unlink()
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "out")


class Holder:
    """A process that holds the lock of an output directory, or was refused."""

    def __init__(self, layout: Layout, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(layout.out), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TOP)},
        )
        assert self.process.stdout
        self.number = self.process.stdout.readline().strip()

    def refused(self) -> str:
        """Its error message; empty if it got the lock."""
        _, errors = self.process.communicate("")
        return errors

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_second_build_is_refused_and_told_of_the_first(layout):
    first = Holder(layout)
    assert layout.private.stat().st_mode & 0o777 == 0o700
    refusal = Holder(layout).refused()
    assert refusal.startswith(f"{layout.out}: another build ")
    assert f"process {first.number}, -c {layout.out}." in refusal
    assert "out=DIR" in refusal
    assert Holder(Layout(layout.out.parent / "other")).refused() == ""
    assert first.refused() == ""


def test_the_lock_of_a_killed_build_is_free(layout):
    first = Holder(layout)
    first.kill()
    layout.lock.write_text(f"{layout.lock.read_text()}a longer command line\n")
    second = Holder(layout)
    assert second.number
    (line,) = layout.lock.read_text().splitlines()
    assert line.startswith(f"process {second.number}, -c ")
    second.kill()


def test_a_process_holds_its_lock_once(layout):
    assert Holder(layout, "again").refused() == ""


def test_a_lock_that_was_deleted_keeps_nobody_out(layout):
    """`doit clean` deletes it while it holds it."""
    first = Holder(layout, "after-deletion")
    second = Holder(layout)
    assert second.number
    assert Holder(layout).refused()
    first.kill()
    second.kill()


def test_a_deletion_between_opening_and_locking_is_noticed(layout, monkeypatch):
    """Otherwise two builds would lock two different files."""
    real = lock._open
    opened: list[int] = []

    def open_and_delete(given: Layout) -> int:
        opened.append(real(given))
        if len(opened) == 1:
            given.lock.unlink()
        return opened[-1]

    monkeypatch.setattr(lock, "_held", {})
    monkeypatch.setattr(lock, "_open", open_and_delete)
    lock.hold(layout)
    assert len(opened) == 2
    assert os.path.samestat(os.stat(layout.lock), os.fstat(opened[1]))
    assert Holder(layout).refused()
    os.close(opened[1])
