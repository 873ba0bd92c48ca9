"""Cleaning after real builds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from building import build, run_doit
from tiny import configure

pytestmark = pytest.mark.image


def test_one_stage_and_then_everything(tiny_repo, tmp_path: Path):
    configure(tmp_path, tiny_repo)
    out = build(tmp_path)
    assert run_doit(tmp_path, "clean", "persist").returncode == 0
    assert not (out / ".kbimg/stages/persist").exists()
    done = run_doit(tmp_path, "vm_img")
    made = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("made ")}
    # An equal small result causes no further work, but the identity of a disk image is its stage's.
    assert "persist" in made
    assert made <= {"persist", "system_img", "system_qcow2", "system_qcow2_sha256"}
    assert run_doit(tmp_path, "cleanup").returncode == 0
    assert "made " not in run_doit(tmp_path, "vm_img").stdout.replace("made cleanup", "")
    assert f"{out}/system.img" in run_doit(tmp_path, "clean", "-n").stdout
    # The configuration has changed.
    (tmp_path / "kbimg.toml").unlink()
    assert run_doit(tmp_path, "clean").returncode == 0
    assert os.listdir(tmp_path) == []
