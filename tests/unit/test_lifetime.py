"""What a user can do to a running command: signals, closed pipes, a closed terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from building import TOP, write_config

DOIT = (sys.executable, "-m", "doit", "-f", str(TOP / "dodo.py"))
KBIMG = (sys.executable, "-m", "kbimg_tasks.cli.main")


@pytest.mark.parametrize(
    "argv",
    [
        (*DOIT, "list"),
        (*DOIT, "arguments"),
        (*DOIT, "check"),
        (*KBIMG, "doit", "list"),
        (*KBIMG, "check"),
        (*KBIMG, "plan", "-f", "kbimg.toml", "vm-img"),
        (*KBIMG, "-h"),
    ],
)
def test_a_reader_that_goes_away_is_not_missed(tmp_path: Path, argv):
    write_config(tmp_path)
    with subprocess.Popen(["sleep", "0"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        done = subprocess.run(
            argv, cwd=tmp_path, stdout=reader.stdin, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_follows_is_done_all_the_same(tmp_path: Path):
    write_config(tmp_path)
    program = f"{sys.executable} -m doit -f {TOP / 'dodo.py'} check plan check | true"
    subprocess.run(["bash", "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "scripts-auto/plan/build.sh").is_file()
