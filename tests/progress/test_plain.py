"""A build's lines without a terminal, and the text of single lines."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import started

from kbimg_tasks.diagnostics.figures import duration, size
from kbimg_tasks.progress import lines
from kbimg_tasks.progress.lines import Ended
from kbimg_tasks.progress.plain import Plain
from kbimg_tasks.progress.running import Running
from kbimg_tasks.progress.screen import harmless
from kbimg_tasks.stages import packages
from kbimg_tasks.steps.args import Artifact, Program
from kbimg_tasks.steps.programs import at_work
from kbimg_tasks.steps.sandbox import Sandbox, nosync
from kbimg_tasks.steps.step import run, tool
from kbimg_tasks.tools.units import MIB


def doit(project: Path, *argv: str, check: bool = True) -> str:
    done = started.doit(project, *argv)
    assert (done.returncode == 0) == check, done.stdout
    assert "\033" not in done.stdout
    assert "hidden words" not in done.stdout
    return done.stdout


@pytest.mark.parametrize("options", [(), ("-P", "process")])
def test_one_line_for_each_event(project, options):
    (project / "go").touch()
    output = doit(project, *options)
    rows = output.splitlines()
    assert sorted(row.split()[1] for row in rows if row.startswith("made  ")) == [
        "base",
        "counted",
        "final",
        "written",
    ]
    assert "a line of its own" in rows
    assert "item 1" not in output and " | " not in output
    assert rows[-1].startswith("4 made, 1 done in ")
    assert rows[-1].endswith(f"; output directory {project}/out")
    (path,) = [row for row in rows if str(project / "out/final") in row and "made" not in row]
    assert path.endswith("4 KiB")


def test_all_that_programs_print(project):
    (project / "go").touch()
    rows = doit(project, "-v", "2").splitlines()
    assert rows.index("counted | item 1") < rows.index("counted | item 2 of 5")
    assert any(row.startswith("written | $ sh -c ") for row in rows)
    log = (project / "out/.kbimg/logs/counted.log").read_text()
    assert log == "".join(f"{row[10:]}\n" for row in rows if row.startswith("counted | "))


def test_a_program_of_ours_is_heard_while_it_works(project):
    (project / "maker.py").write_text(
        "import sys\nprint('to begin with', file=sys.stderr, flush=True)\nprint('in the end')\n"
    )
    rows = doit(project, "elsewhere").splitlines()
    assert rows[:2] == ["to begin with", "in the end"] and rows[2].startswith("made    elsewhere ")
    (project / "maker.py").write_text("import sys\nsys.exit('no reason')\n")
    rows = doit(project, "elsewhere", check=False).splitlines()
    assert rows[0] == "no reason" and rows[1].startswith("FAILED  elsewhere ")
    assert rows[2] == "elsewhere: exit status 1"


@pytest.mark.parametrize(
    ("step", "program"),
    [
        (run("/usr/bin/tar", "-c"), "tar"),
        (tool("write_checksum", "x"), "write_checksum"),
        (nosync(run(Program(("dnf", "yum")), "--", "x")), "dnf"),
        (run("mke2fs").behind("flock", "--no-fork", "lock"), "mke2fs"),
        (
            Sandbox(root="/r", layers=(Artifact("a", "b"),), chroot=True).wrap(run("useradd")),
            "useradd",
        ),
    ],
)
def test_the_program_at_work(step, program):
    assert at_work(step) == program


def test_downloads_tell_how_many_there_are():
    found = re.match(packages.DOWNLOADED, "(12/210): kernel-6.6.rpm   1.2 MB/s |  30 MB   00:25")
    assert found and found["total"] == "210"


def said(*moments: float, running: Running) -> str:
    stream = io.StringIO()
    plain = Plain(stream)
    for now in moments:
        plain.draw([running], now)
    return stream.getvalue()


def test_signs_of_life():
    counting = Running("rootfs", 100.0, count=3, total=9, unit="packages")
    assert said(100.2, 104.9, running=counting) == ""
    assert said(100.2, 105.1, 109.0, running=counting) == "        rootfs: 3 of 9 packages, 5 s\n"
    # A stage without measured progress prints less.
    assert said(105.1, 111.0, 136.0, running=counting).count("\n") == 2
    assert said(31.0, 65.0, running=Running("pxe_serve", 0.0)) == ""
    silent = Running("initramfs", 0.0, program="dracut")
    assert said(29.0, 31.0, 40.0, 62.0, running=silent) == (
        "        initramfs: dracut, 31 s\n        initramfs: dracut, 1m02s\n"
    )


def test_what_is_written_is_counted_in_mib():
    running = Running("kubeos_tar", 0.0, total=500 * MIB, written=lambda: 123 * MIB)
    running.look()
    assert (running.detail, running.share) == ("123 of 500 MiB", 0.246)
    running.total = 100 * MIB
    assert (running.detail, running.share) == ("100 of 100 MiB", 1.0)
    running.begin("cp")
    assert (running.detail, running.share) == ("cp", None)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            None,
            "made    rootfs                12.3 s  612 MiB  the packages installed into one tree",
        ),
        (80, "made    rootfs                12.3 s  612 MiB  the packages installed into one…"),
        (40, "made    rootfs 12.3 s 612 MiB"),
        (20, "made    rootfs 12.…"),
    ],
)
def test_a_line_fits(columns, line):
    one = Ended("made", "rootfs", 12.34, 612 * MIB)
    assert lines.ended(one, "the packages installed into one tree", columns) == line
    assert columns is None or len(line) < columns


def test_what_is_cached_fits():
    names = ["packages", "rootfs", "initramfs", "kubeos_tar_sha256"]
    assert lines.cached(names) == "cached  packages, rootfs, initramfs, kubeos_tar_sha256"
    assert lines.cached(names, 40) == (
        "cached  packages, rootfs, initramfs,\n        kubeos_tar_sha256"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1m00s"), (754.9, "12m34s")]
)
def test_times(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 KiB"),
        (1, "1 KiB"),
        (MIB, "1.0 MiB"),
        (10 * MIB, "10 MiB"),
        (20480 * MIB, "20480 MiB"),
    ],
)
def test_sizes(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain\n", "plain"),
        ("1 %\r99 %\r100 %\r\n", "100 %"),
        ("a\tb", "a\tb"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hclear\x07", "clear"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1bctext", "text"),
        ("\x9b2Jtext", "2Jtext"),
    ],
)
def test_harmless(printed, shown):
    assert harmless(printed) == shown
