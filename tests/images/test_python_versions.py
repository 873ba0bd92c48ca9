"""kbimg under every supported Python of this machine: installed and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomli
from building import SMALL, TOP, write_config
from wheels import run

pytestmark = pytest.mark.image

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
# Of the quick tests those of what is most likely to differ: libraries, messages, hashes, text.
UNIT = (
    "tests/unit/test_stage.py",
    "tests/unit/test_partitions.py",
    "tests/unit/test_golden.py",
    "tests/unit/config/test_bad_files.py",
    "tests/unit/config/test_good_files.py",
    "tests/unit/config/test_no_configuration.py",
)
TESTS_NEED = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "jsonschema")
OTHERS = [
    # What breaks between versions breaks with the oldest or the newest one first.
    version
    if version in (VERSIONS[0], VERSIONS[-1])
    else pytest.param(version, marks=pytest.mark.long)
    for version in VERSIONS
    if version != f"{sys.version_info.major}.{sys.version_info.minor}"
]


def interpreter(version: str) -> Path | None:
    """A Python of this version with venv: in PATH, or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python3"))]
    for path in filter(None, found):
        # A shim of pyenv is there for versions that are not chosen, and fails.
        asked = subprocess.run(
            [path, "-c", "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"],
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if asked.returncode == 0 and asked.stdout.strip() == version:
            return Path(path)
    return None


def plan(kbimg: Path, folder: Path) -> dict[str, bytes]:
    """Every file of the plan of a folder's configuration, without the interpreter's name."""
    run(kbimg, "plan", "-f", "kbimg.toml", "vm-img", cwd=folder)
    top = folder / "scripts-auto/plan"
    python = re.compile(rb"^PYTHON=.*$", re.MULTILINE)
    return {
        str(path.relative_to(top)): python.sub(b"", path.read_bytes())
        for path in sorted(top.rglob("*"))
        if path.is_file()
    }


def test_the_versions_are_those_of_the_package():
    told = tomli.loads((TOP / "pyproject.toml").read_text())["project"]
    assert told["requires-python"] == f">={VERSIONS[0]}"
    assert (
        tuple(
            name.rpartition(" ")[2]
            for name in told["classifiers"]
            if re.search(r"Python :: 3\.", name)
        )
        == VERSIONS
    )


@pytest.mark.parametrize("version", OTHERS)
def test_another_python(wheel, repository, tmp_path, version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version} that can make environments")
    environment, folder = tmp_path / "environment", tmp_path / "folder"
    run(python, "-m", "venv", environment, cwd=tmp_path)
    run(
        environment / "bin/pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        wheel,
        *TESTS_NEED,
        cwd=tmp_path,
    )
    folder.mkdir()
    write_config(folder, SMALL)
    kbimg = environment / "bin/kbimg"
    assert run(kbimg, "-V", cwd=folder).startswith("kbimg ")
    assert "kbimg.toml OK: vm_img" in run(kbimg, "check", cwd=folder)
    assert plan(kbimg, folder) == plan(Path(sys.executable).parent / "kbimg", folder)
    # With the tests beside the installed package, not beside this checkout's.
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("tests", "config", "docs", "pyproject.toml"):
        (copied / name).symlink_to(TOP / name)
    run(
        environment / "bin/python",
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        *UNIT,
        cwd=copied,
    )
