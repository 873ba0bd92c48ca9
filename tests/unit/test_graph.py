"""The graph, the stamps and the runner, with stages of ordinary programs and the real doit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import started

DODO = """
import sys
from pathlib import Path
from kbimg_tasks.tasks import stages as graph
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.progress import Display
from kbimg_tasks.tasks.reporter import reporter
from kbimg_tasks.tasks.making import Maker
from kbimg_tasks.commands.clean.cleaning import Cleaning
from kbimg_tasks.steps.args import Artifact, Secret, Size, UserFile
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run
here = Path(__file__).parent
layout, display = Layout(here / "out", here / "cache"), Display()
DOIT_CONFIG = {"reporter": reporter(layout, display), "backend": "sqlite3",
               "dep_file": ":memory:", "default_tasks": ["all"]}
big, small = Artifact("big", "big", size=Size.LARGE), Artifact("small", "small")
final = Artifact("final", "final", is_result=True)
tree = Artifact("tree", "tree", is_tree=True)
clock = "1000"
stages = [
    Stage("big", "a large file", clock, (big,),
          (run("cp", UserFile(here / "source"), big), run("truncate", "--size=2M", big),
           run("sleep", (here / "sleep").read_text().strip()))),
    Stage("small", "a small file", clock, (small,),
          (run("head", "-n1", UserFile(here / "source")).into(small),)),
    Stage("tree", "a directory", clock, (tree,),
          (run("mkdir", tree), run("cp", "--", small, tree))),
    Stage("final", "the result", clock, (final,), (run("tar", "-cf", final, big, small, tree),)),
]
cleaned = {stage.name: Cleaning(layout) for stage in stages}
def task_all():
    yield graph.ready(lambda: ())
    yield from graph.tasks(stages, Maker(layout, display), cleaned, {}, {})
    yield graph.group("all", "everything", stages[-1:])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dodo.py").write_text(DODO)
    (tmp_path / "source").write_text("first\nsecond\n")
    (tmp_path / "sleep").write_text("0")
    return tmp_path


def doit(project: Path, *argv: str, check: bool = True) -> str:
    done = started.doit(project, *argv)
    assert (done.returncode == 0) == check, done.stdout
    return done.stdout


def made(output: str) -> list:
    return sorted(line.split()[1] for line in output.splitlines() if line.startswith("made "))


ALL = ["big", "final", "small", "tree"]


def test_second_run_makes_nothing(project):
    assert made(doit(project)) == ALL
    assert made(doit(project)) == []


def test_touching_a_source_makes_nothing(project):
    doit(project)
    os.utime(project / "source")
    assert made(doit(project)) == []


def test_an_equal_small_file_stops_the_change(project):
    doit(project)
    (project / "source").write_text("first\nchanged\n")
    assert made(doit(project)) == ["big", "final", "small"]


def test_a_deleted_artifact_is_made_again_alone(project):
    doit(project)
    (project / "out/.kbimg/stages/small/small").unlink()
    assert made(doit(project)) == ["small"]


def test_a_result_that_somebody_changed_is_made_again(project):
    doit(project)
    with open(project / "out/final", "ab") as stream:
        stream.write(b"x")
    assert made(doit(project)) == ["final"]


def test_a_moved_output_directory_is_still_made(project):
    doit(project)
    (project / "out").rename(project / "kept")
    (project / "dodo.py").write_text(DODO.replace('"out"', '"kept"'))
    assert made(doit(project)) == []


def test_clean_of_one_stage(project):
    doit(project)
    doit(project, "clean", "tree")
    assert not (project / "out/.kbimg/stages/tree").exists()
    assert made(doit(project)) == ["tree"]


@pytest.mark.parametrize("options", [(), ("-n", "2", "-P", "thread"), ("-n", "2", "-P", "process")])
def test_in_parallel_too(project, options):
    doit(project, *options)
    assert (project / "out/final").exists()
    assert made(doit(project)) == []


def test_a_failing_program(project):
    (project / "sleep").write_text("never")
    output = doit(project, check=False)
    assert "big: command failed with exit status 1; last output:" in output
    assert "invalid time interval" in output
    assert "sleep never" in output
    assert f"full log: {project}/out/.kbimg/logs/big.log" in output
    assert "Traceback" not in output
    assert not (project / "out/.kbimg/stages/big").exists()


def test_a_failure_keeps_what_was_made_before(project):
    doit(project)
    (project / "sleep").write_text("never")
    doit(project, check=False)
    assert (project / "out/final").exists()
    (project / "sleep").write_text("0")
    assert made(doit(project)) == []


# A number that no other process on this machine sleeps for.
SLEEP = f"98765.{os.getpid()}"


def children_in(folder: Path) -> list:
    """Processes that mention the folder in their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in words or b"sleep\0" + SLEEP.encode() in words:
                found.append(words.replace(b"\0", b" ").decode())
    return found


def wait_for_sleep(project: Path) -> None:
    deadline = time.monotonic() + 20
    while not any("sleep" in words for words in children_in(project)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("options", [(), ("-n", "2", "-P", "thread")])
def test_a_killed_build_leaves_nothing_and_goes_on(project, number, options):
    (project / "sleep").write_text(SLEEP)
    # These tests may themselves run where signals are ignored, under nohup for one.
    with subprocess.Popen(
        [sys.executable, "-m", "doit", *options],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: (
            signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        ),
    ) as process:
        try:
            wait_for_sleep(project)
            process.send_signal(number)
            process.wait(10)
        finally:
            process.kill()
    gone_by = time.monotonic() + 1
    while children_in(project) and time.monotonic() < gone_by:
        time.sleep(0.02)
    assert children_in(project) == []
    assert not (project / "out/.kbimg/stages/big").exists()
    (project / "sleep").write_text("0")
    doit(project)
    assert made(doit(project)) == []


def test_the_second_build_in_a_directory_says_who_holds_it(project):
    (project / "sleep").write_text(SLEEP)
    with subprocess.Popen(
        [sys.executable, "-m", "doit"], cwd=project, stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_for_sleep(project)
            output = doit(project, check=False)
        finally:
            process.kill()
    assert output.count("\n") == 1
    assert f"another build is running here: process {process.pid}," in output
    assert "Traceback" not in output
    (project / "sleep").write_text("0")
    doit(project)


def test_programs_do_not_see_the_callers_environment(project: Path, monkeypatch):
    path = project / "dodo.py"
    path.write_text(
        path.read_text().replace(
            'run("head", "-n1", UserFile(here / "source")).into(small)',
            'run("env", LANG="xx").into(small)',
        )
    )
    monkeypatch.setenv("TAR_OPTIONS", "--owner=nobody")
    monkeypatch.setenv("MKE2FS_CONFIG", "/nonexistent")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    doit(project)
    lines = (project / "out/.kbimg/stages/small/small").read_text().splitlines()
    seen = dict(line.split("=", 1) for line in lines)
    assert set(seen) == {
        "HOME",
        "LANG",
        "LC_ALL",
        "PATH",
        "PWD",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
        "TZ",
        "https_proxy",
        *set(seen) & {"_", "SHLVL", "OLDPWD"},
    }


def test_a_link_in_the_locks_place_is_not_followed(project: Path):
    doit(project)
    lock, other = project / "out/.kbimg/lock", project / "other"
    other.write_text("not to be written over\n")
    lock.unlink()
    lock.symlink_to(other)
    output = doit(project, check=False)
    assert f"{lock}: expected a file of kbimg's own, but cannot open it" in output
    assert other.read_text() == "not to be written over\n"
    lock.unlink()
    doit(project)
