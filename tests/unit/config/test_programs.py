"""hostshell must be a program that runs on the machine that the container is for."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from kbimg_tasks.config.errors import ConfigError
from kbimg_tasks.config.load import load

EXPECTED = f"2: admin_container.hostshell: expected an executable program for {platform.machine()}"


def problems(folder: Path, content: bytes, mode: int) -> str:
    (folder / "hostshell").write_bytes(content)
    (folder / "hostshell").chmod(mode)
    (folder / "kbimg.toml").write_text(
        "[admin_container]\nhostshell = 'hostshell'\nimg_name = 'admin:v1'\n")
    try:
        load(Path("kbimg.toml"), folder, images=("admin_container",))
    except ConfigError as error:
        return str(error)
    return ""


def elf(machine: int, order: int = 1) -> bytes:
    return (b"\x7fELF\x02" + bytes([order]) + bytes(12)
            + machine.to_bytes(2, "little" if order == 1 else "big"))


@pytest.mark.parametrize(("content", "mode", "found"), [
    (b"#!/bin/sh\n", 0o755, "hostshell, which is no ELF file"),
    (b"", 0o755, "hostshell, which is no ELF file"),
    (elf(0x28), 0o755, "hostshell, which is for arm"),
    (elf(0x16, order=2), 0o755, "hostshell, which is for s390x"),
    (elf(0x9999), 0o755, "hostshell, which is for 0x9999"),
    (Path("/usr/bin/env").read_bytes(), 0o644, "which is not executable (chmod +x)"),
])
def test_refused(tmp_path, content, mode, found):
    text = problems(tmp_path, content, mode)
    assert EXPECTED in text
    assert found in text


def test_taken(tmp_path):
    assert problems(tmp_path, Path("/usr/bin/env").read_bytes(), 0o755) == ""


def test_missing(tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        "[admin_container]\nhostshell = 'none'\nimg_name = 'admin:v1'\n")
    with pytest.raises(ConfigError, match="expected a program, found none"):
        load(Path("kbimg.toml"), tmp_path, images=("admin_container",))
    load(Path("kbimg.toml"), tmp_path, images=("vm_img",)[:0])


def test_one_base(tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        "[admin_container]\nhostshell = 'h'\nimg_name = 'admin:v1'\nrepo_path = 'r.repo'\n"
        "base_image = 'a:b'\n")
    with pytest.raises(ConfigError, match=r"5: admin_container\.base_image: contradicts repo"):
        load(Path("kbimg.toml"), tmp_path)
