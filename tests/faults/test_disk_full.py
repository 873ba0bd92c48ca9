"""A full disk at every stage."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import digest, made, run_doit
from tiny import configure

from kbimg_tasks.build import store
from kbimg_tasks.build.runner import StageFailed, perform
from kbimg_tasks.config.load import load
from kbimg_tasks.config.repo_file import repositories
from kbimg_tasks.host import remove
from kbimg_tasks.machine.architecture import X86_64
from kbimg_tasks.plan.images import Given, plan
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.session.repositories import local_indexes
from kbimg_tasks.steps.layout import Layout

pytestmark = pytest.mark.image


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A separate file system that is large enough for one small build."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g", "tmpfs", tmp_path], check=True)
    yield tmp_path
    store.release()  # stages ran in this process
    subprocess.run(["umount", tmp_path], check=True)


def results(out: Path) -> dict:
    return {path.name: digest(path) for path in (out / "kubeos.tar", out / "system.qcow2")}


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with open(ballast, "wb") as stream:
        status = os.statvfs(disk)
        os.posix_fallocate(stream.fileno(), 0, status.f_bavail * status.f_frsize)
    return ballast


def test_a_full_disk_at_every_stage(tiny_repo, disk):
    path = configure(disk, tiny_repo)
    command = ("vm_img", "system_img_sha256", "cache=cache")
    done = run_doit(disk, *command)
    assert done.returncode == 0, done.stdout
    layout = Layout(disk / "scripts-auto", disk / "cache")
    before = results(layout.out)
    # What was built exists, and the free space is that of one stage: it is filled soon.
    subprocess.run(["mount", "-o", "remount,size=600m", disk], check=True)

    config = load(path, disk, (KINDS["vm_img"],))
    whole = plan(config, Given(repomds=local_indexes(repositories(tiny_repo), X86_64)))
    stages = whole.standing_under(["vm_img", "system_img_sha256"])
    for stage in stages:
        layout.stamp(stage.name).unlink()
        for artifact in stage.artifacts:
            remove.delete(layout.published(artifact))
        ballast = fill(disk)
        with pytest.raises(StageFailed) as failure:
            perform(stage, layout)
        text = str(failure.value)
        assert text.startswith(f"{stage.name}: the disk is full: it needs "), text
        assert "MiB were left" in text
        assert not any(layout.published(artifact).exists() for artifact in stage.artifacts)
        assert not layout.stamp(stage.name).exists()
        assert not layout.partial(stage.name).exists()
        ballast.unlink()
        perform(stage, layout)
    assert results(layout.out) == before
    assert made(run_doit(disk, *command).stdout) == []


def test_a_build_that_cannot_fit_is_refused_before_it_begins(tiny_repo, disk):
    configure(disk, tiny_repo)
    ballast = fill(disk)
    os.truncate(ballast, ballast.stat().st_size - (50 << 20))
    done = run_doit(disk, "vm_img", "cache=cache")
    assert done.returncode != 0
    assert "this build needs" in done.stdout and "MiB are free" in done.stdout
    assert made(done.stdout) == []
