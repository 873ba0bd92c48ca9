"""The messages about a host that cannot build."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomli
from building import TOP

from kbimg_tasks.build import preflight
from kbimg_tasks.config.load import load
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.machine.architecture import AARCH64, X86_64
from kbimg_tasks.plan.images import plan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.programs import programs


@pytest.fixture
def stages():
    return plan(load(Path("config/full.toml"), TOP)).stages


def test_this_host_is_fine(stages, tmp_path):
    assert preflight.problems(stages, Layout(tmp_path), 1) == []


def test_every_planned_program_has_its_packages(stages):
    known = tomli.loads((DATA / "programs.toml").read_text())
    for other in ("from-dockerimg", "dm-verity", "legacy-bios"):
        stages += plan(load(Path(f"config/{other}.toml"), TOP)).stages
    planned = {one.names[0] for one in programs(stages)}
    assert planned == set(known)
    assert all(set(entry) == {"debian", "openeuler"} for entry in known.values())


def test_space(stages, tmp_path):
    (problem,) = preflight.problems(stages, Layout(tmp_path / "not/there/yet"), 1 << 40)
    assert problem.startswith(f"{tmp_path}/not/there/yet: this build needs 1099511627776 MiB there")


def test_enforcing_selinux(stages, tmp_path, monkeypatch):
    (tmp_path / "enforce").write_text("1")
    monkeypatch.setattr(preflight, "SELINUX", tmp_path / "enforce")
    (problem,) = preflight.problems(stages, Layout(tmp_path), 1)
    assert "run setenforce 0" in problem
    (tmp_path / "enforce").write_text("0")
    assert preflight.problems(stages, Layout(tmp_path), 1) == []


def test_programs_of_another_architecture_that_do_not_run_here(tmp_path, monkeypatch):
    config = load(Path("config/vm-img.toml"), TOP)
    foreign = plan(config, Given(AARCH64 if platform.machine() == "x86_64" else X86_64)).stages
    assert preflight.problems(foreign, Layout(tmp_path), 1) == []
    # A host without qemu-user-static, and with all else.
    for program in {name for wanted in programs(foreign) for name in wanted.names}:
        if found := shutil.which(program):
            (tmp_path / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(preflight.sys, "executable", shutil.which("python3", path=os.defpath))
    (problem,) = preflight.problems(foreign, Layout(tmp_path), 1)
    assert "it is in the package qemu-user-static" in problem


def test_a_container_without_mounts_of_its_own():
    told = subprocess.run(
        [
            "setpriv",
            "--bounding-set=-sys_admin",
            "--inh-caps=-sys_admin",
            sys.executable,
            "-c",
            "from kbimg_tasks.build import preflight\nprint(*preflight._namespaces())",
        ],
        cwd=TOP,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert told.startswith("cannot create a mount namespace: unshare: ")
    assert "CAP_SYS_ADMIN" in told


def test_everything_at_once(stages, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight.platform, "machine", lambda: "riscv64")
    monkeypatch.setenv("PATH", str(tmp_path))
    problems = preflight.problems(stages, Layout(tmp_path), 1)
    assert "building needs root" in problems[0]
    assert "riscv64" in problems[1]
    assert len(problems) > 10
