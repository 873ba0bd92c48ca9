"""A change makes exactly those stages again that the manual lists."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tomli
from building import DEMO, TOP

from docs.generator import influence
from docs.generator.option_samples import SAMPLE, STOPS
from kbimg_tasks.config.model import ARRAYS
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE

pytestmark = pytest.mark.image

# Options that exclude many others.
REFUSED = ("from_dockerimg", "dm_verity")
LEGACY_BIOS = "from_repo.legacy_bios"
REFUSED_OPTIONS = ("admin_container.base_image", LEGACY_BIOS)
TREE = {
    "esp",
    "system_img",
    "system_qcow2",
    "kubeos_tar",
    "kubeos_tar_sha256",
    "system_qcow2_sha256",
    "build_tools",
}
SCRIPT = "#!/bin/sh\nset -e\necho {} > /etc/chroot-mark\n"
UNIT = "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"


def made(folder: Path, checkout: Path = TOP) -> set:
    """Build. Returns the stages that were made."""
    done = subprocess.run(
        [sys.executable, "-m", "doit", "-f", checkout / "dodo.py", "-n", "2", "vm_img"],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )
    assert done.returncode == 0, done.stdout
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("made ")}


def expected(option: str) -> set:
    """The stages of the table without those that this change does not affect."""
    found = influence.row(option, DEFAULT_IMAGE)
    return {*found.sure, *found.possible} - set(STOPS.get(option, ()))


def toml(tables: dict[str, Any]) -> str:
    """Tables as a file. JSON's strings, numbers, booleans and lists are valid TOML."""
    parts = []
    for name, value in tables.items():
        for table in value if name in ARRAYS else [value]:
            parts.append(f"[[{name}]]" if name in ARRAYS else f"[{name}]")
            parts += [f"{key} = {json.dumps(one)}" for key, one in table.items()]
    return "\n".join(parts) + "\n"


def write(folder: Path, tables: dict[str, Any]) -> None:
    (folder / "kbimg.toml").write_text(toml(tables), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tiny_repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample configuration, its files, and the first build."""
    top = tmp_path_factory.mktemp("incremental")
    shutil.copy(DEMO / "os-agent", top / "os-agent")
    (top / "os-agent-2").write_text((DEMO / "os-agent").read_text() + "# another one\n")
    for name in ("one", "two"):
        shutil.copy(tiny_repo, top / f"{name}.repo")
        (top / f"{name}.sh").write_text(SCRIPT.format(name))
    for name in ("hello.txt", "hello-2.txt", "hostshell"):
        (top / name).write_text(name + "\n")
    for name in ("own.service", "other.service"):
        (top / name).write_text(UNIT)
    write(top, buildable(SAMPLE))
    assert (
        made(top)
        >= {"packages", "rootfs", "grub", "initramfs", "customised", "root_b", "persist"} | TREE
    )
    return top


def buildable(tables: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in deepcopy(tables).items() if name not in REFUSED}


def test_each_option_makes_what_the_table_says(folder):
    """Each change is made after the others. All are tried, then all errors are reported."""
    tables, wrong = buildable(SAMPLE), {}
    for option in influence.options():
        if option.partition(".")[0] in REFUSED or option in REFUSED_OPTIONS:
            continue
        if option == "pxe_config.dhcp":  # excludes the three options of a fixed address
            continue
        tables = influence.changed(tables, option)
        write(folder, tables)
        found = made(folder)
        if found != expected(option):
            wrong[option] = {
                "too many": found - expected(option),
                "missing": expected(option) - found,
            }
    assert wrong == {}


def test_a_comment_and_another_order_make_nothing(folder):
    path = folder / "kbimg.toml"
    assert made(folder) == set()
    tables = tomli.loads(path.read_text())
    reordered = {
        name: (
            [dict(reversed(list(one.items()))) for one in table]
            if name in ARRAYS
            else dict(reversed(list(table.items())))
        )
        for name, table in reversed(list(tables.items()))
    }
    reordered["from_repo"]["rpmlist"].reverse()
    path.write_text("# a comment\n" + toml(reordered))
    assert made(folder) == set()


def test_files_that_options_name(folder):
    tables = tomli.loads((folder / "kbimg.toml").read_text())
    script = folder / tables["chroot_script"]["path"]
    copied = folder / tables["copy_files"][0]["src"]
    agent = folder / tables["from_repo"]["agent_path"]
    for path in (script, copied, agent):
        os.utime(path, (1, 1))
    assert made(folder) == set()
    copied.write_text("other content\n")
    script.write_text(SCRIPT.format("changed"))
    assert made(folder) == {"customised"} | TREE
    # The entry sets mode and owner, so the image does not change, but the stage is made again.
    before = (folder / "scripts-auto/kubeos.tar.sha256").read_text()
    copied.chmod(0o755)
    assert made(folder) == {"customised"} | TREE
    assert (folder / "scripts-auto/kubeos.tar.sha256").read_text() == before
    os.chown(copied, 1, 1)
    assert made(folder) == {"customised"} | TREE


def test_legacy_bios_makes_what_the_table_says(folder):
    before = (folder / "kbimg.toml").read_text()
    write(folder, influence.changed(tomli.loads(before), LEGACY_BIOS))
    assert made(folder) == expected(LEGACY_BIOS)
    (folder / "kbimg.toml").write_text(before)
    assert {"packages", "grub"} <= made(folder)


def test_kbimg_itself(folder, tmp_path):
    """Changed templates and code make the stages again that use them; comments and docstrings do
    not."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copy(TOP / "dodo.py", checkout)
    shutil.copytree(
        TOP / "kbimg_tasks", checkout / "kbimg_tasks", ignore=shutil.ignore_patterns("__pycache__")
    )
    assert made(folder, checkout) == set()
    ours = checkout / "kbimg_tasks"
    tool = ours / "tools/fill_fat.py"
    tool.write_text("# a comment\n" + tool.read_text().replace('"""', '"""Other words. ', 1))
    assert made(folder, checkout) == set()
    tool.write_text(tool.read_text() + "\nOTHER = 1\n")
    assert made(folder, checkout) == {"esp", "system_img", "system_qcow2", "system_qcow2_sha256"}
    menu = ours / "data/grub/grub.cfg"
    menu.write_text(menu.read_text() + "# another menu\n")
    assert made(folder, checkout) == {"grub", "customised"} | TREE
