"""Images for AArch64, built on a machine of any architecture: all programs in them are for AArch64.
Two builds are equal, however their programs were emulated."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from building import DEMO, digest, made, run_doit

pytestmark = pytest.mark.image

AARCH64 = 0xB7  # e_machine of an ELF header (elf.h)
PE_AARCH64 = 0xAA64  # Machine of a PE header (PE format specification)


def machine_of(content: bytes) -> int:
    """The machine of a program: an ELF file, or one for UEFI."""
    if content.startswith(b"\x7fELF"):
        return int.from_bytes(content[18:20], "little")
    at = int.from_bytes(content[0x3C:0x40], "little")
    assert content[at : at + 4] == b"PE\0\0"
    return int.from_bytes(content[at + 4 : at + 6], "little")


@pytest.fixture(scope="module")
def out(arm_image: Path) -> Path:
    """The output directory with the disk, the upgrade image and the tar."""
    return arm_image


def member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        found = tar.extractfile(name)
        assert found is not None
        return found.read()


def test_every_program_is_for_it(out):
    seen = 0
    with tarfile.open(out / "kubeos.tar") as tar:
        for entry in tar:
            if entry.isreg() and entry.name.startswith(("./usr/bin/", "./usr/sbin/", "./usr/lib/")):
                stream = tar.extractfile(entry)
                assert stream is not None
                head = stream.read(20)
                if head.startswith(b"\x7fELF"):
                    assert machine_of(head) == AARCH64, entry.name
                    seen += 1
    assert seen > 500


def test_esp(out):
    esp = f"{out / 'system.img'}@@1M"
    names = set(
        subprocess.run(
            ["mdir", "-/", "-b", "-i", esp], check=True, text=True, capture_output=True
        ).stdout.split()
    )
    assert {
        "::/EFI/BOOT/BOOTAA64.EFI",
        "::/EFI/openEuler/grubaa64.efi",
        "::/EFI/openEuler/arm64-efi/normal.mod",
    } <= names
    for name in ("EFI/BOOT/BOOTAA64.EFI", "EFI/openEuler/grubaa64.efi"):
        program = subprocess.run(
            ["mtype", "-i", esp, f"::/{name}"], check=True, capture_output=True
        ).stdout
        assert machine_of(program) == PE_AARCH64


def test_upgrade_image(out):
    archive = out / "upgrade_img.tar"
    described = json.loads(member(archive, "manifest.json"))[0]
    assert json.loads(member(archive, described["Config"]))["architecture"] == "arm64"


@pytest.mark.long
def test_another_build_is_equal(out, tmp_path):
    """Emulated programs leave no trace of the build machine."""
    for path in out.parent.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    done = run_doit(tmp_path, "vm_img", "arch=aarch64", f"cache={tmp_path / 'cache'}")
    assert done.returncode == 0, done.stdout
    assert digest(tmp_path / "scripts-auto/system.img") == digest(out / "system.img")


def test_nothing_is_made_twice_and_architectures_do_not_mix(out, tmp_path):
    folder = out.parent
    assert made(run_doit(folder, "vm_img", "arch=aarch64").stdout) == []
    done = run_doit(folder, "rootfs", "arch=x86_64", f"out={tmp_path}")
    assert done.returncode == 0, done.stdout
    assert made(run_doit(folder, "vm_img", "arch=aarch64").stdout) == []


def test_out_of_an_upgrade_image(out, tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        f'[from_dockerimg]\narchive = "{out / "upgrade_img.tar"}"\n[persist_mkdir]\n'
        'name = ["data", "deep/er"]\n'
    )
    done = run_doit(tmp_path, "vm_img", "arch=aarch64")
    assert done.returncode == 0, done.stdout
    assert digest(tmp_path / "scripts-auto/system.img") == digest(out / "system.img")
    done = run_doit(tmp_path, "vm_img", "arch=x86_64", "out=x86")
    assert done.returncode != 0
    assert "no GRUB (/boot/efi/EFI/openEuler/grubx64.efi)" in done.stdout


@pytest.mark.long
def test_admin_container(out, tmp_path):
    (tmp_path / "hostshell").write_bytes(member(out / "kubeos.tar", "./usr/bin/nsenter"))
    (tmp_path / "hostshell").chmod(0o755)
    (tmp_path / "kbimg.toml").write_text(
        '[admin_container]\nimg_name = "admin:v1"\nhostshell = "hostshell"\n'
        f'repo_path = "{DEMO / "demo.repo"}"\n'
    )
    done = run_doit(tmp_path, "admin_container", "arch=aarch64", "engine=none")
    assert done.returncode == 0, done.stdout
    archive = tmp_path / "scripts-auto/admin_container.tar"
    described = json.loads(member(archive, "manifest.json"))[0]
    assert json.loads(member(archive, described["Config"]))["architecture"] == "arm64"
    refused = run_doit(tmp_path, "admin_container", "arch=x86_64", "engine=none")
    assert refused.returncode != 0
    assert (
        "kbimg.toml:3: admin_container.hostshell: expected an executable program for x86_64 "
        "(ELF), found "
    ) in refused.stdout


def test_an_engine_builds_for_its_own_machine_only(tmp_path):
    (tmp_path / "hostshell").write_bytes(b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\0")
    (tmp_path / "hostshell").chmod(0o755)
    (tmp_path / "kbimg.toml").write_text(
        '[admin_container]\nimg_name = "admin:v1"\nhostshell = "hostshell"\n'
    )
    done = run_doit(tmp_path, "admin_container", "arch=aarch64")
    assert done.returncode != 0
    assert "kbimg.toml:1: admin_container: expected repo_path, " in done.stdout
    assert "but an engine on x86_64 cannot build for aarch64" in done.stdout
