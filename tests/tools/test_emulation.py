"""Programs of another architecture, run by a registration of the process itself."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.tools import emulation

OTHER = "aarch64" if platform.machine() == "x86_64" else "x86_64"
TOP = Path(__file__).resolve().parents[2]
# As update-binfmts(8) and systemd-binfmt.service(8) register qemu-user-static of Debian.
REGISTERED = """enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: {}
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


def program(folder: Path, machine: str) -> Path:
    """The smallest ELF program that there is: it exits with 42."""
    code = {
        # mov edi, 42; mov eax, 60 (exit); syscall
        "x86_64": bytes.fromhex("bf2a000000b83c0000000f05"),
        # mov x0, 42; mov x8, 93 (exit); svc 0
        "aarch64": bytes.fromhex("400580d2a80b80d2010000d4"),
    }[machine]
    base, start = 0x400000, 0x78
    header = emulation.header(machine)[0] + (1).to_bytes(4, "little")
    header += b"".join(
        part.to_bytes(size, "little")
        for part, size in (
            (base + start, 8),
            (64, 8),
            (0, 8),
            (0, 4),
            (64, 2),
            (56, 2),
            (1, 2),
            (0, 2),
            (0, 2),
            (0, 2),
        )
    )
    segment = b"".join(
        part.to_bytes(size, "little")
        for part, size in (
            (1, 4),
            (5, 4),
            (0, 8),
            (base, 8),
            (base, 8),
            (start + len(code), 8),
            (start + len(code), 8),
            (0x1000, 8),
        )
    )
    path = folder / "program"
    path.write_bytes(header + segment + code)
    path.chmod(0o755)
    return path


def sandboxed(
    root: Path, machine: str, *argv: str, before: tuple = (), **env: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            *before,
            *CONTAINMENT,
            sys.executable,
            "-m",
            "kbimg_tasks.tools.sandboxed",
            f"--root={root}",
            "--kernel",
            f"--machine={machine}",
            "--chroot",
            "--",
            *argv,
        ],
        text=True,
        capture_output=True,
        check=False,
        cwd=TOP,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_program_runs_in_a_tree(tmp_path, machine):
    program(tmp_path, machine)
    done = sandboxed(tmp_path, machine, "/program")
    assert done.returncode == 42, done.stderr


def test_nobody_else_sees_the_registration(tmp_path):
    before = sorted(os.listdir(emulation.BINFMT)) if emulation.BINFMT.is_dir() else None
    path = program(tmp_path, OTHER)
    assert sandboxed(tmp_path, OTHER, "/program").returncode == 42
    after = sorted(os.listdir(emulation.BINFMT)) if emulation.BINFMT.is_dir() else None
    assert before == after
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    if not emulation.is_registered(OTHER):
        with pytest.raises(OSError, match="Exec format error"):
            subprocess.run([path], check=False)


def test_users_of_the_tree_are_those_of_the_host(tmp_path):
    """Packages set owners and capabilities, which must be the same when read outside."""
    kernel = program(tmp_path, OTHER)
    done = subprocess.run(
        [
            *CONTAINMENT,
            sys.executable,
            "-m",
            "kbimg_tasks.tools.sandboxed",
            f"--root={tmp_path}",
            "--kernel",
            f"--machine={OTHER}",
            "--",
            "sh",
            "-c",
            f"cp {kernel} {tmp_path}/owned && chown 998:997 {tmp_path}/owned && chmod 4750 "
            f"{tmp_path}/owned && cp {kernel} {tmp_path}/capable && "
            f'python3 -c \'import os; os.setxattr("{tmp_path}/capable", "security.capability", '
            'bytes.fromhex("0100000200200000000000000000000000000000"))\'',
        ],
        text=True,
        capture_output=True,
        check=False,
        cwd=TOP,
    )
    assert done.returncode == 0, done.stderr
    seen = (tmp_path / "owned").stat()
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) == (998, 997, 0o4750)
    assert os.getxattr(tmp_path / "capable", "security.capability").hex() == (
        "0100000200200000000000000000000000000000"
    )


def test_without_qemu_user(tmp_path):
    program(tmp_path, OTHER)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("setpriv", "sh", "unshare"):
        (folder / name).symlink_to(
            next(path for path in (Path("/usr/bin") / name, Path("/bin") / name) if path.exists())
        )
    done = sandboxed(tmp_path, OTHER, "/program", PATH=str(folder))
    assert done.returncode == 126
    assert done.stderr == (
        f"sandboxed: no qemu-{OTHER}-static, which runs programs for {OTHER}: "
        "it is in the package qemu-user-static\n"
    )


def test_where_no_user_namespace_may_be_made(tmp_path):
    """As on a kernel before 6.7, which has one binfmt_misc for the whole host."""
    program(tmp_path, OTHER)
    # Root of a user namespace that may have no further one below it.
    limited = (
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"',
        "sh",
    )
    done = sandboxed(tmp_path, OTHER, "/program", before=limited)
    assert done.returncode == 126
    assert (
        f"sandboxed: programs for {OTHER} cannot be run on this {platform.machine()}: the "
        in done.stderr
    )
    assert "install qemu-user-static and run systemctl restart systemd-binfmt" in done.stderr


@pytest.mark.parametrize(
    ("status", "text", "machine", "is_there"),
    [
        ("enabled\n", REGISTERED.format("POF"), "aarch64", True),
        ("enabled\n", REGISTERED.format("OC"), "aarch64", False),  # not there inside a chroot
        ("enabled\n", REGISTERED.format("POF"), "x86_64", False),
        ("disabled\n", REGISTERED.format("POF"), "aarch64", False),
        ("enabled\n", REGISTERED.format("POF").replace("enabled", "disabled"), "aarch64", False),
    ],
)
def test_what_the_host_has_registered(tmp_path, status, text, machine, is_there):
    (tmp_path / "status").write_text(status)
    (tmp_path / "register").write_text("")
    (tmp_path / "qemu-aarch64").write_text(text)
    assert emulation.is_registered(machine, tmp_path) is is_there


def test_a_host_that_has_no_binfmt_misc(tmp_path):
    assert not emulation.is_registered("aarch64", tmp_path / "none")
