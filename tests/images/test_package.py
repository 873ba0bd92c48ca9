"""The package as users install it: into an environment of its own, used from an empty directory."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from building import SMALL, TOP, digest, run_doit, write_config

pytestmark = pytest.mark.image

SIZES = "[disk_partition]\nroot = 1024\nimg_size = 5\n"


def run(*argv: object, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in argv], cwd=cwd, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    run("git", "-c", "safe.directory=*", "clone", "--quiet", TOP, source, cwd=folder)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source,
        cwd=folder)
    (made,) = folder.glob("kbimg-*.whl")
    return made


def test_the_wheel_carries_every_file(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    tracked = run("git", "-c", "safe.directory=*", "ls-files", "kbimg_tasks", cwd=TOP).split()
    assert [name for name in tracked if name not in names] == []


def test_an_installed_kbimg_builds(wheel, repository, tmp_path):
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    run(environment / "bin/pip", "install", "--quiet", wheel, cwd=tmp_path)
    installed, checkout = tmp_path / "installed", tmp_path / "checkout"
    for folder in (installed, checkout):
        folder.mkdir()
        write_config(folder, SMALL, SIZES)
    run(environment / "bin/kbimg", "create", "-f", "kbimg.toml", "vm-img", cwd=installed)
    assert run_doit(checkout, "vm_img").returncode == 0
    assert digest(installed / "scripts-auto/system.img") == digest(
        checkout / "scripts-auto/system.img")
    assert {path.name for path in installed.iterdir()} == {"kbimg.toml", "scripts-auto"}
