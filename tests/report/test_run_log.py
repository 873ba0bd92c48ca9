"""The log of the last run, written by real stages."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kbimg_tasks.build import run_log, runner
from kbimg_tasks.steps.args import Artifact
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "out", tmp_path / "cache")
    found.private.mkdir(parents=True)
    return found


def told(layout: Layout) -> list:
    return [(event.stage, event.what) for event in run_log.read(layout)]


def test_no_run_no_log(layout):
    assert run_log.read(layout) == ()


def test_what_was_made_and_what_failed(layout):
    artifact = Artifact("one", "one")
    runner.perform(Stage("one", "", "0", (artifact,), (run("touch", artifact),)), layout)
    with pytest.raises(runner.StageFailed):
        runner.perform(Stage("other", "", "0", (), (run("false"),)), layout)
    assert told(layout) == [
        ("one", "begun"),
        ("one", "made"),
        ("other", "begun"),
        ("other", "failed"),
    ]
    assert stat.S_IMODE(layout.run_log.stat().st_mode) == 0o600
    events = run_log.read(layout)
    assert [event.clock for event in events] == sorted(event.clock for event in events)
    assert abs(events[0].time - time.time()) < 60


def test_a_later_run_begins_a_new_log(layout):
    for number in ("1", "1", "2"):
        with run_log.recorded(layout, f"stage{number}", run=number):
            pass
    assert told(layout) == [("stage2", "begun"), ("stage2", "made")]


def test_a_line_that_was_cut_off_is_passed_over(layout):
    with run_log.recorded(layout, "one", run="1"):
        with open(layout.run_log, "a") as stream:
            stream.write('{"run": "1", "sta')
        with open(layout.run_log, "a") as stream:
            stream.write("\n[]\n7\nnull\n")
    assert told(layout) == [("one", "begun"), ("one", "made")]


def test_no_build_fails_for_want_of_a_log(layout, tmp_path):
    (tmp_path / "other").write_text("not to be written over")
    layout.run_log.symlink_to(tmp_path / "other")
    with run_log.recorded(layout, "one"):
        pass
    assert (tmp_path / "other").read_text() == "not to be written over"


def test_of_a_killed_build_it_tells_what_was_begun(layout, tmp_path):
    program = (
        "from pathlib import Path; from kbimg_tasks.build import runner\n"
        "from kbimg_tasks.steps.layout import Layout\n"
        "from kbimg_tasks.steps.stage import Stage\n"
        "from kbimg_tasks.steps.step import run\n"
        f"layout = Layout(Path({str(layout.out)!r}), Path({str(layout.cache)!r}))\n"
        "for name, seconds in (('one', '0'), ('two', '98')):\n"
        "    runner.perform(Stage(name, '', '0', (), (run('sleep', seconds),)), layout)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            deadline = time.monotonic() + 20
            while len(told(layout)) < 3:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGKILL)
    assert told(layout) == [("one", "begun"), ("one", "made"), ("two", "begun")]
