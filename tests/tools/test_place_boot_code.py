"""GRUB's boot code on a disk whose partition table stays."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import plan_table, sfdisk_script
from kbimg_tasks.tools import place_boot_code

GAP = 2047


def boot_sector(image_at: int = 1, size: int = 512) -> bytes:
    code = bytearray(b"\xeb" * size)
    code[0x5C:0x64] = image_at.to_bytes(8, "little")
    code[-2:] = b"\x55\xaa"
    return bytes(code)


def place(folder: Path, boot: bytes, image: bytes) -> int:
    (folder / "boot.img").write_bytes(boot)
    (folder / "core.img").write_bytes(image)
    return place_boot_code.main(
        [*(str(folder / name) for name in ("disk", "boot.img", "core.img")), f"--gap-sectors={GAP}"]
    )


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    table = plan_table(1024, 5, legacy=True)
    ids = Ids.of(table)
    path = tmp_path / "disk"
    with path.open("wb") as stream:
        stream.truncate(table.image_mib << 20)
    subprocess.run(
        ["sfdisk", "--quiet", path], check=True, text=True, input=sfdisk_script(table, ids.disk, {})
    )
    return path


def first_mib(disk: Path) -> bytes:
    with disk.open("rb") as stream:
        return stream.read(1 << 20)


def shown(disk: Path) -> dict:
    return json.loads(
        subprocess.run(["sfdisk", "-J", disk], check=True, capture_output=True).stdout
    )["partitiontable"]


def test_the_table_stays_and_the_gap_is_enough(disk, tmp_path):
    before = shown(disk)
    image = bytes(range(1, 256)) * 400
    assert place(tmp_path, boot_sector(), image) == 0
    assert shown(disk) == before
    with disk.open("rb") as stream:
        assert stream.read(440) == boot_sector()[:440]
        stream.seek(512)
        assert stream.read(len(image)) == image


@pytest.mark.parametrize(
    ("boot", "image", "message"),
    [
        (boot_sector(size=1024), b"x", "expected a boot sector of 512 bytes that ends with 55aa"),
        (b"\0" * 512, b"x", "expected a boot sector of 512 bytes that ends with 55aa"),
        (
            boot_sector(image_at=34),
            b"x",
            "expected boot.img to load its image from sector 1, found 34",
        ),
        (
            boot_sector(),
            b"x" * (GAP * 512 + 1),
            "GRUB's image has 2048 sectors, and there are 2047 before the first partition",
        ),
        (boot_sector(), b"", "GRUB's image has 0 sectors, and there are 2047"),
    ],
    ids=["two sectors", "no mark", "image elsewhere", "image too large", "no image"],
)
def test_what_would_not_start_is_refused(disk, tmp_path, capsys, boot, image, message):
    before = first_mib(disk)
    assert place(tmp_path, boot, image) == 1
    assert message in capsys.readouterr().err
    assert first_mib(disk) == before
