"""Mounts that only one program sees."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from kbimg_tasks.host.containment import PARENT_LIVES


@pytest.fixture
def layers(tmp_path: Path) -> dict:
    """Two layers with names that a mount option string would trip over."""
    paths = {"root": tmp_path / "root", "low": tmp_path / "lo,w:er", "high": tmp_path / "hi gh"}
    for name in ("low", "high"):
        (paths[name] / "usr/share/factory/var").mkdir(parents=True)
        (paths[name] / f"only-{name}").write_text(name)
        (paths[name] / "both").write_text(name)
    for name in ("var", "proc", "sys", "dev", "run", "tmp"):
        (paths["low"] / name).mkdir()
    return paths


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def test_refuses_outside_a_namespace_of_its_own(tool, tmp_path):
    done = tool("sandboxed", "--root", tmp_path, "--kernel", "--", "true")
    assert done.returncode == 2
    assert "not the first process of a PID namespace" in done.stderr
    assert str(tmp_path) not in mounts()


def test_layers_are_merged_and_gone_afterwards(tool, layers):
    done = tool(
        "sandboxed",
        f"--root={layers['root']}",
        f"--layer={layers['low']}",
        f"--layer={layers['high']}",
        "--",
        "sh",
        "-c",
        f"cd '{layers['root']}'; cat only-low only-high both; touch x 2>/dev/null || echo ro",
        contained=True,
    )
    assert done.stdout == "lowhighhighro\n", done.stderr
    assert str(layers["root"]) not in mounts()
    assert os.listdir(layers["root"]) == []


def test_one_layer_is_read_only_too(tool, layers):
    done = tool(
        "sandboxed",
        f"--root={layers['root']}",
        f"--layer={layers['low']}",
        "--",
        "touch",
        str(layers["root"] / "x"),
        contained=True,
    )
    assert done.returncode != 0
    assert not (layers["low"] / "x").exists()


def test_changes_go_to_the_upper_layer(tool, layers, tmp_path):
    done = tool(
        "sandboxed",
        f"--root={layers['root']}",
        f"--layer={layers['low']}",
        f"--upper={tmp_path / 'up'}",
        f"--work={tmp_path / 'work'}",
        "--move=/usr/share/factory/var:/var",
        "--",
        "sh",
        "-c",
        f"cd '{layers['root']}'; echo new > both; rm only-low; echo v > var/v",
        contained=True,
    )
    assert done.returncode == 0, done.stderr
    assert (layers["low"] / "both").read_text() == "low"
    assert (layers["low"] / "only-low").exists()
    assert (tmp_path / "up/both").read_text() == "new\n"
    assert stat.S_ISCHR((tmp_path / "up/only-low").lstat().st_mode)
    assert (tmp_path / "up/usr/share/factory/var/v").read_text() == "v\n"
    assert not (tmp_path / "up/var").exists()


def test_kernel_trees_hold_no_device_of_the_host(tool, layers, tmp_path):
    done = tool(
        "sandboxed",
        f"--root={layers['root']}",
        f"--layer={layers['low']}",
        f"--upper={tmp_path / 'up'}",
        f"--work={tmp_path / 'work'}",
        "--kernel",
        "--",
        "sh",
        "-c",
        f"cd '{layers['root']}'; ls dev; ls -d proc/[0-9]*; hostname",
        contained=True,
    )
    assert done.stdout.split() == [
        "fd",
        "full",
        "null",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
        *done.stdout.split()[11:],
    ]
    assert done.stdout.split()[-1] == "localhost"
    assert len([word for word in done.stdout.split() if word.startswith("proc/")]) <= 3


@pytest.mark.parametrize("fate", ["lives", "is a zombie", "is gone"])
def test_a_child_of_a_dead_parent_does_nothing(fate):
    """A program in the namespace looks for its parent, which it cannot see."""
    with subprocess.Popen(["sleep", "60"]) as parent:
        with open(f"/proc/{parent.pid}/stat", "rb") as status:
            if fate != "lives":
                parent.kill()
            if fate == "is gone":
                parent.wait()
            while (
                fate == "is a zombie" and ") Z " not in Path(f"/proc/{parent.pid}/stat").read_text()
            ):
                pass
            done = subprocess.run(
                [
                    "sh",
                    "-c",
                    'exec "$@" 9<&0 0</dev/null',
                    "sh",
                    "sh",
                    "-c",
                    PARENT_LIVES,
                    "sh",
                    "sh",
                    "-c",
                    "echo ran; ls /proc/$$/fd",
                ],
                stdin=status,
                text=True,
                capture_output=True,
                check=False,
            )
        parent.kill()
    if fate == "lives":
        assert done.returncode == 0
        assert done.stdout.split()[0] == "ran" and "9" not in done.stdout.split()
    else:
        assert (done.returncode, done.stdout) == (1, "")


def test_a_missing_layer_is_one_line(tool, tmp_path):
    done = tool(
        "sandboxed",
        f"--root={tmp_path / 'r'}",
        f"--layer={tmp_path / 'no'}",
        f"--layer={tmp_path}",
        "--",
        "true",
        contained=True,
    )
    assert done.returncode == 126
    assert done.stderr == f"sandboxed: No such file or directory: {tmp_path / 'no'}\n"
