"""hostshell must be a program for the architecture of the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbimg_tasks.config.load import load
from kbimg_tasks.diagnostics.problem import ConfigError
from kbimg_tasks.machine.architecture import AARCH64, X86_64, Architecture
from kbimg_tasks.plan.kinds import KINDS

EXPECTED = "2: admin_container.hostshell: expected an executable program for {}"
AGENT = """[from_repo]
agent_path = 'hostshell'
repo_path = 'os.repo'
root_passwd = '*'
version = 'v1'
rpmlist = ['kernel']
"""


def problems(
    folder: Path,
    content: bytes,
    mode: int,
    architecture: Architecture = X86_64,
    text: str = "",
    image: str = "admin_container",
) -> str:
    (folder / "hostshell").write_bytes(content)
    (folder / "hostshell").chmod(mode)
    (folder / "os.repo").write_text("[a]\nbaseurl = http://example.org/\n")
    (folder / "kbimg.toml").write_text(
        text or "[admin_container]\nhostshell = 'hostshell'\nimg_name = 'admin:v1'\n"
    )
    try:
        load(Path("kbimg.toml"), folder, (KINDS[image],), architecture)
    except ConfigError as error:
        return str(error)
    return ""


def elf(machine: int, order: int = 1) -> bytes:
    return (
        b"\x7fELF\x02"
        + bytes([order])
        + bytes(12)
        + machine.to_bytes(2, "little" if order == 1 else "big")
    )


@pytest.mark.parametrize(
    ("content", "mode", "found"),
    [
        (b"#!/bin/sh\n", 0o755, "hostshell, which is no ELF file"),
        (b"", 0o755, "hostshell, which is no ELF file"),
        (elf(0x28), 0o755, "hostshell, which is for arm"),
        (elf(0x16, order=2), 0o755, "hostshell, which is for s390x"),
        (elf(0x9999), 0o755, "hostshell, which is for 0x9999"),
        (elf(0x3E), 0o644, "which is not executable (chmod +x)"),
        (elf(0xB7), 0o755, "hostshell, which is for aarch64"),
    ],
)
def test_refused(tmp_path, content, mode, found):
    text = problems(tmp_path, content, mode)
    assert EXPECTED.format("x86_64") in text
    assert found in text


@pytest.mark.parametrize(("number", "architecture"), [(0x3E, X86_64), (0xB7, AARCH64)])
def test_taken(tmp_path, number, architecture):
    assert problems(tmp_path, elf(number), 0o755, architecture) == ""


def test_a_program_of_the_host_for_another_machine(tmp_path):
    text = problems(tmp_path, elf(0x3E), 0o755, AARCH64)
    assert EXPECTED.format("aarch64") in text
    assert "hostshell, which is for x86_64" in text


@pytest.mark.parametrize(
    ("content", "architecture", "found"),
    [
        (b"#!/bin/sh\n", X86_64, ""),
        (b"#!/bin/sh\n", AARCH64, ""),
        (elf(0x3E), X86_64, ""),
        (elf(0x3E), AARCH64, "hostshell, which is for x86_64"),
        (elf(0xB7), X86_64, "hostshell, which is for aarch64"),
    ],
)
def test_os_agent(tmp_path, content, architecture, found):
    text = problems(tmp_path, content, 0o755, architecture, AGENT, "vm_img")
    wanted = f"2: from_repo.agent_path: expected an executable program for {architecture.name}"
    assert (wanted in text and found in text) if found else text == ""


def test_missing(tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        "[admin_container]\nhostshell = 'none'\nimg_name = 'admin:v1'\n"
    )
    with pytest.raises(ConfigError, match="expected a program, found none"):
        load(Path("kbimg.toml"), tmp_path, (KINDS["admin_container"],))
    load(Path("kbimg.toml"), tmp_path)


def test_one_base(tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        "[admin_container]\nhostshell = 'h'\nimg_name = 'admin:v1'\nrepo_path = 'r.repo'\n"
        "base_image = 'a:b'\n"
    )
    with pytest.raises(ConfigError, match=r"5: admin_container\.base_image: contradicts repo"):
        load(Path("kbimg.toml"), tmp_path)
