"""Finding the file that differs between two images: real disks, changed at a known place."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Callable

import pytest

from kbimg_tasks.dissect.tars import first_difference

MIB = 1 << 20
ESP_MIB, ROOT_MIB, PERSIST_MIB = 1, 41, 61
UUID = "6f1a6a1e-57c4-4c0e-9f63-2f1f3ba2d8f"  # and one digit more
TABLE = (
    f"label: gpt\nlabel-id: {UUID}0\nsize=40M, name=ESP, uuid={UUID}1\n"
    f"size=20M, name=ROOT-A, uuid={UUID}2\nsize=20M, name=PERSIST, uuid={UUID}3\n"
)
CLOCK = "1700000000"
GRUB = b"a boot menu of many words\n" * 1000
LARGE = bytes(range(251)) * 5000


def ext4(disk: Path, tree: Path, at_mib: int) -> None:
    subprocess.run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-U",
            f"{UUID}4",
            "-E",
            f"hash_seed={UUID}5,offset={at_mib * MIB}",
            "-d",
            tree,
            disk,
            "16M",
        ],
        check=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": CLOCK, "E2FSPROGS_FAKE_TIME": CLOCK},
    )


def disk(folder: Path) -> Path:
    """A disk with a FAT partition and two of ext4; `folder` has the three trees."""
    image = folder / "system.img"
    with open(image, "wb") as stream:
        stream.truncate(82 * MIB)
    subprocess.run(["sfdisk", "--quiet", image], input=TABLE, text=True, check=True)
    subprocess.run(
        [
            "mkfs.vfat",
            "--invariant",
            "-F",
            "32",
            f"--offset={ESP_MIB * 2048}",
            image,
            str(39 * 1024),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        [
            "mcopy",
            "-s",
            "-m",
            "-i",
            f"{image}@@{ESP_MIB * MIB}",
            *sorted((folder / "esp").iterdir()),
            "::",
        ],
        check=True,
    )
    ext4(image, folder / "root", ROOT_MIB)
    ext4(image, folder / "persist", PERSIST_MIB)
    return image


def stamp(folder: Path) -> None:
    """Set all times, which would differ otherwise."""
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink():
            os.utime(path, (int(CLOCK), int(CLOCK)))


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """The trees of a disk."""
    folder = tmp_path / "one"
    for name, content in {
        "esp/EFI/BOOT/grub.cfg": GRUB,
        "esp/EFI/BOOT/bootx64.efi": LARGE,
        "root/etc/hosts": b"127.0.0.1 localhost\n",
        "root/usr/lib/large": LARGE,
        "root/usr/lib/small": b"x",
        "persist/var/lib/state": LARGE,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def compared(one: Path, change: Callable[[Path], None]) -> str:
    """The difference caused by a change of the ESP's tree. In ext4 there would be others: mke2fs
    copies a tree's change times, which cannot be set."""
    other = one.parent / "other"
    shutil.copytree(one, other)
    change(other)
    stamp(one)
    stamp(other)
    return str(first_difference(disk(one), disk(other)))


def write(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def patched(one: Path, change: Callable[[Path], None]) -> str:
    """The difference caused by a change of the finished image."""
    stamp(one)
    image, other = disk(one), one.parent / "system.img"
    shutil.copyfile(image, other)
    assert first_difference(image, other) is None
    change(other)
    return str(first_difference(image, other))


def at(content: bytes, where: int, new: bytes) -> Callable[[Path], None]:
    """Overwrite bytes at the first place of the content in the image."""

    def change(image: Path) -> None:
        with open(image, "r+b") as stream:
            position = stream.read().index(content) + where
            stream.seek(position)
            stream.write(new)

    return change


def debugfs(*requests: str, at_mib: int = ROOT_MIB) -> Callable[[Path], None]:
    def change(image: Path) -> None:
        subprocess.run(
            ["debugfs", "-w", "-f", "-", f"{image}?offset={at_mib * MIB}"],
            check=True,
            input="\n".join(requests) + "\n",
            text=True,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    return change


def test_a_byte_in_a_file_of_the_esp(one):
    found = patched(one, at(GRUB, 20000, b"#"))
    assert found.startswith("ESP, byte ")
    assert " of the partition: /EFI/BOOT/grub.cfg: content at byte 20000: " in found
    assert " and b'#" in found


def test_a_file_that_one_esp_lacks(one):
    found = compared(one, write("esp/EFI/BOOT/mm.efi", b"more"))
    assert found.startswith("ESP, byte ")
    assert found.endswith(": /EFI/BOOT/mm.efi: is in the second image only")


def test_a_time_in_the_esp(one):
    def older(image: Path) -> None:
        path = one.parent / "grub.cfg"
        path.write_bytes(GRUB)
        os.utime(path, (int(CLOCK) - 86400,) * 2)
        subprocess.run(
            ["mcopy", "-o", "-m", "-i", f"{image}@@{ESP_MIB * MIB}", path, "::EFI/BOOT/grub.cfg"],
            check=True,
        )

    assert ": /EFI/BOOT/grub.cfg: mtime is 1700000000 and 1699913600" in patched(one, older)


def test_the_volume_number_belongs_to_no_file(one):
    def change(image: Path) -> None:
        with open(image, "r+b") as stream:
            stream.seek(ESP_MIB * MIB + 67)  # BS_VolID of a FAT32 boot sector
            stream.write(b"\1\2\3\4")

    found = patched(one, change)
    assert found.startswith("ESP, byte 67 of the partition: ")
    assert "Serial Number" in found


@pytest.mark.parametrize(
    "name, partition, path",
    [("root", "ROOT-A", "/usr/lib/large"), ("persist", "PERSIST", "/var/lib/state")],
)
def test_a_byte_in_a_file_of_ext4(one, name, partition, path):
    # The same content is in the ESP and in both file systems: each has a mark of its own.
    (one / name / path[1:]).write_bytes(marked := b"marked " + name.encode() + LARGE)
    found = patched(one, at(marked[:2000], 1000, b"\xff\xfe"))
    assert found.startswith(f"{partition}, byte ")
    assert f" of the partition: {path}: content at byte 1000: " in found
    assert " and b'\\xff\\xfe" in found


@pytest.mark.parametrize(
    "field, value, shown",
    [
        ("mtime", "@1600000000", "mtime is 0x"),
        ("mode", "0100600", "Mode is 0644 and 0600"),
        ("uid", "12", "User is 0 and 12"),
    ],
)
def test_what_an_inode_says(one, field, value, shown):
    found = patched(one, debugfs(f"set_inode_field /usr/lib/small {field} {value}"))
    assert found.startswith("ROOT-A, byte ")
    assert f" of the partition: /usr/lib/small: {shown}" in found


def test_a_file_that_one_file_system_lacks(one):
    (one.parent / "new").write_text("content of its own\n")
    found = patched(one, debugfs(f"write {one.parent / 'new'} usr/lib/new"))
    assert found.endswith(": no file is where the other has /usr/lib/new")


def test_a_name(one):
    found = patched(one, debugfs("link /etc/hosts /etc/more", "unlink /etc/hosts"))
    assert "/etc: its entries" in found or "/etc/hosts is where the other has /etc/more" in found


def test_outside_the_partitions(one):
    def change(image: Path) -> None:
        with open(image, "r+b") as stream:
            stream.write(b"boot code")

    assert patched(one, change) == "at byte 0, outside the partitions"


def test_a_disk_that_is_longer(one):
    def longer(image: Path) -> None:
        os.truncate(image, 83 * MIB)

    assert patched(one, longer) == f"at byte {82 * MIB}, outside the partitions"


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"content": b"yes\n"}, "/etc/b: size is 3 and 4"),
        ({"content": b"nO\n"}, "/etc/b: content at byte 1: b'o\\n' and b'O\\n'"),
        ({"mode": 0o600}, "/etc/b: mode is 420 and 384"),
        ({"name": "./etc/c"}, "/etc/b is where the other has /etc/c"),
    ],
)
def test_archives(tmp_path: Path, change, expected):
    paths = []
    for number, given in enumerate(({}, change)):
        path = tmp_path / f"{number}.tar"
        paths.append(path)
        with tarfile.open(path, "w") as archive:
            for name, content in (("./etc/a", b"same\n"), ("./etc/b", b"no\n")):
                mine = given if name == "./etc/b" else {}
                member = tarfile.TarInfo(mine.get("name", name))
                member.mode = mine.get("mode", 0o644)
                member.size = len(mine.get("content", content))
                archive.addfile(member, io.BytesIO(mine.get("content", content)))
    assert first_difference(*paths) == expected
    assert first_difference(paths[0], paths[0]) is None
