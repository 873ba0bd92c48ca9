"""A build that is killed while it downloads does not download anything twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import web
from building import DEMO, SMALL, TOP, made, run_doit, write_config

pytestmark = pytest.mark.image

ENOUGH = 12
WAIT_SECONDS = 120


def packages(paths: list) -> list:
    return [path for path in paths if path.endswith(".rpm")]


def test_what_was_downloaded_stays(repository: Path, tmp_path: Path):
    server = web.Server(repository, seconds=0.1)
    (tmp_path / "slow.repo").write_text(
        f"[slow]\nname=slow\nbaseurl=http://127.0.0.1:{server.port}/\ngpgcheck=0\n"
    )
    path = write_config(tmp_path, SMALL)
    path.write_text(path.read_text().replace(str(DEMO / "demo.repo"), "slow.repo"))
    own = f"cache={tmp_path / 'cache'}"
    build = subprocess.Popen(
        [sys.executable, "-m", "doit", "-f", TOP / "dodo.py", "packages", own],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ},
    )
    end = time.monotonic() + WAIT_SECONDS
    while len(packages(server.served)) < ENOUGH:
        assert build.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    build.send_signal(signal.SIGKILL)
    build.wait()
    time.sleep(1)  # packages in transfer are lost
    before = packages(server.asked)
    whole = {
        file.name
        for file in (tmp_path / "cache").rglob("*.rpm")
        if file.stat().st_size == (repository / file.name).stat().st_size
    }
    assert len(whole) >= ENOUGH - 3  # dnf moves a file when the next one of its slot begins

    server.asked.clear()
    done = run_doit(tmp_path, "packages", own)
    assert "packages" in made(done.stdout), done.stdout
    again = {Path(path).name for path in packages(server.asked)}
    server.stop()
    assert len(again) > ENOUGH  # the kill came in the middle
    assert not again & whole
    assert len({Path(path).name for path in before} | again) == len(
        list((tmp_path / "cache").rglob("*.rpm"))
    )
