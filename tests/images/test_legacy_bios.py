"""The image for machines with a BIOS, read by other programs."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from building import SMALL, digest, made, run_doit, write_config

pytestmark = pytest.mark.image

MIB = 1 << 20
SECTOR = 512
SIZES = "[disk_partition]\nroot = 1024\nimg_size = 5\n"
OTHER_SIZES = "[disk_partition]\nroot = 1100\nimg_size = 6\n"


def output(*argv: object) -> str:
    return subprocess.run(
        [str(word) for word in argv], check=True, text=True, capture_output=True
    ).stdout


def configure(folder: Path, sizes: str = SIZES) -> None:
    path = write_config(folder, SMALL, f'{sizes}[grub]\npasswd = "secret"\n')
    path.write_text(
        path.read_text()
        .replace("legacy_bios = false", "legacy_bios = true")
        .replace("version =", 'upgrade_img = "legacy:v1"\nversion =')
    )


@pytest.fixture(scope="module")
def out(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("legacy")
    configure(folder)
    done = run_doit(folder, "vm_img", "upgrade_img", "engine=none")
    assert done.returncode == 0, done.stdout
    return folder / "scripts-auto"


@pytest.fixture(scope="module")
def disk(out: Path) -> Path:
    return out / "system.img"


@pytest.fixture(scope="module")
def table(disk: Path) -> dict:
    return json.loads(output("sfdisk", "-J", disk))["partitiontable"]


def grub2(disk: Path) -> str:
    """The first partition, as e2fsprogs name it."""
    return f"{disk}?offset={MIB}"


def test_partition_table(table):
    assert table["label"] == "dos"
    assert [
        (entry["start"] * SECTOR / MIB, entry["size"] * SECTOR / MIB, entry["type"])
        for entry in table["partitions"]
    ] == [(1, 59, "83"), (60, 1024, "83"), (1084, 1024, "83"), (2108, 3012, "83")]
    assert [entry.get("bootable", False) for entry in table["partitions"]] == [
        True,
        False,
        False,
        False,
    ]


def test_boot_code(disk, tmp_path):
    for name in ("boot.img", "core.img"):
        output("debugfs", "-R", f"dump /i386-pc/{name} {tmp_path / name}", grub2(disk))
    image = (tmp_path / "core.img").read_bytes()
    with disk.open("rb") as stream:
        first = stream.read(SECTOR)
        assert stream.read(len(image)) == image
        stream.seek(SECTOR + len(image))
        assert not stream.read(MIB - stream.tell()).strip(b"\0")
    assert first[:440] == (tmp_path / "boot.img").read_bytes()[:440]
    assert b"GRUB" in first and first.endswith(b"\x55\xaa")


def test_grubs_partition(disk, table, tmp_path):
    part = tmp_path / "grub2"
    with disk.open("rb") as source:
        source.seek(MIB)
        part.write_bytes(source.read(59 * MIB))
    output("e2fsck", "-fn", part)
    shown = output("blkid", "--probe", "--output", "export", part)
    assert "LABEL=GRUB2\n" in shown and "TYPE=ext4\n" in shown
    menu = output("debugfs", "-R", "cat /grub.cfg", part)
    name = table["id"][2:]
    assert re.findall(r"^\s*linux.*root=(\S+)", menu, re.M) == [
        f"PARTUUID={name}-02",
        f"PARTUUID={name}-03",
    ]
    assert re.findall(r'^menuentry "(\w+)"', menu, re.M) == ["A", "B"]
    assert "saved_entry=A\n" in output("debugfs", "-R", "cat /grubenv", part)
    assert output("debugfs", "-R", "cat /user.cfg", part).startswith("GRUB2_PASSWORD=grub.pbkdf2")
    assert "Mode:  0600" in output("debugfs", "-R", "stat /user.cfg", part)


@pytest.mark.long
def test_another_build_is_equal(out, tmp_path):
    configure(tmp_path)
    done = run_doit(tmp_path, "vm_img", "engine=none", f"cache={tmp_path / 'cache'}")
    assert done.returncode == 0, done.stdout
    assert digest(tmp_path / "scripts-auto/system.img") == digest(out / "system.img")


def test_out_of_the_upgrade_image(out, tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        f'[from_dockerimg]\narchive = "{out / "upgrade_img.tar"}"\nlegacy_bios = true\n{SIZES}'
    )
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode == 0, done.stdout
    same = tmp_path / "scripts-auto"
    assert digest(same / "system.img") == digest(out / "system.img")
    assert (
        hashlib.sha256((same / "kubeos.tar").read_bytes()).digest()
        == hashlib.sha256((out / "kubeos.tar").read_bytes()).digest()
    )


def test_an_upgrade_image_for_uefi_starts_no_bios(out, tmp_path):
    source = f'[from_dockerimg]\narchive = "{out / "upgrade_img.tar"}"\n{SIZES}'
    (tmp_path / "kbimg.toml").write_text(source)
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode != 0
    assert "no GRUB (/boot/efi/EFI/openEuler/grubx64.efi)" in done.stdout


def test_slots_of_another_size_are_named_in_the_menu(out, tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        f'[from_dockerimg]\narchive = "{out / "upgrade_img.tar"}"\nlegacy_bios = true\n'
        + OTHER_SIZES
    )
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode == 0, done.stdout
    disk = tmp_path / "scripts-auto/system.img"
    name = json.loads(output("sfdisk", "-J", disk))["partitiontable"]["id"][2:]
    menu = output("debugfs", "-R", "cat /grub.cfg", grub2(disk))
    assert re.findall(r"^\s*linux.*root=(\S+)", menu, re.M) == [
        f"PARTUUID={name}-02",
        f"PARTUUID={name}-03",
    ]


def test_another_menu_password_costs_no_packages(out):
    folder = out.parent
    path = folder / "kbimg.toml"
    path.write_text(path.read_text().replace("secret", "other"))
    again = made(run_doit(folder, "vm_img").stdout)
    assert "grub" in again and "grub2" in again
    assert not {"packages", "rootfs", "initramfs", "persist", "root_b"} & set(again)
