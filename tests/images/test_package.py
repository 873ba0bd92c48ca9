"""The package as users install it, in its own environment and used from an empty directory."""

from __future__ import annotations

import sys
import zipfile

import pytest
from building import TOP, digest, run_doit, write_config
from tiny import configure
from wheels import clone, run

pytestmark = pytest.mark.image


def test_the_wheel_carries_every_file(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    tracked = run("git", "-c", "safe.directory=*", "ls-files", "kbimg_tasks", cwd=TOP).split()
    assert [name for name in tracked if name not in names] == []


def test_an_installed_kbimg_builds(wheel, tiny_repo, tmp_path):
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    run(environment / "bin/pip", "install", "--quiet", wheel, cwd=tmp_path)
    installed, checkout = tmp_path / "installed", tmp_path / "checkout"
    for folder in (installed, checkout):
        folder.mkdir()
        configure(folder, tiny_repo)
    run(environment / "bin/kbimg", "create", "-f", "kbimg.toml", "vm-img", cwd=installed)
    assert run_doit(checkout, "vm_img").returncode == 0
    assert digest(installed / "scripts-auto/system.img") == digest(
        checkout / "scripts-auto/system.img"
    )
    assert {path.name for path in installed.iterdir()} == {"kbimg.toml", "scripts-auto"}


def test_pipx_gives_a_working_kbimg(tmp_path):
    folders = {
        "PIPX_HOME": str(tmp_path / "home"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_MAN_DIR": str(tmp_path / "man"),
    }
    source, empty = clone(tmp_path), tmp_path / "empty"
    empty.mkdir()
    write_config(empty)
    run(sys.executable, "-m", "pipx", "install", ".", cwd=source, **folders)
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["kbimg"]
    kbimg = tmp_path / "bin/kbimg"
    assert "kbimg.toml OK: vm_img" in run(kbimg, "check", cwd=empty)
    run(kbimg, "plan", "-f", "kbimg.toml", "vm-img", cwd=empty)
    assert (empty / "scripts-auto/plan/build.sh").is_file()
    assert "_python_argcomplete kbimg" in run(kbimg, "completion", "bash", cwd=empty)
    run(sys.executable, "-m", "pipx", "uninstall", "kbimg", cwd=empty, **folders)
    assert list((tmp_path / "bin").iterdir()) == []
