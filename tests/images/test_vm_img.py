"""The built files, read by standard programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from kbimg_tasks.tools.sparse_copy import extents

pytestmark = pytest.mark.image

MIB = 1 << 20
SECTORS_A_MIB = 2048


def output(*argv: object) -> str:
    return subprocess.run(
        [str(word) for word in argv], check=True, text=True, capture_output=True
    ).stdout


def partition(image: Path, number: int, folder: Path) -> Path:
    """One partition of a disk image as a file."""
    entry = table(image)["partitions"][number - 1]
    cut = folder / f"part{number}"
    start, size = entry["start"] * 512, entry["size"] * 512
    with open(image, "rb") as source, open(cut, "wb") as target:
        target.truncate(size)
        for begin, end in extents(source.fileno()):
            begin, end = max(begin, start), min(end, start + size)
            while begin < end:
                done = os.copy_file_range(
                    source.fileno(),
                    target.fileno(),
                    min(end - begin, 64 * MIB),
                    begin,
                    begin - start,
                )
                begin += done
    return cut


def table(image: Path) -> dict:
    return json.loads(output("sfdisk", "-J", image))["partitiontable"]


@pytest.fixture(scope="module")
def disk(custom_image: Path) -> Path:
    return custom_image / "system.img"


@pytest.fixture(scope="module")
def cut(disk, tmp_path_factory):
    """All four partitions."""
    folder = tmp_path_factory.mktemp("partitions")
    return [partition(disk, number, folder) for number in (1, 2, 3, 4)]


def test_results(custom_image):
    names = {path.name for path in custom_image.iterdir() if not path.name.startswith(".")}
    assert names == {
        "system.img",
        "system.qcow2",
        "kubeos.tar",
        "kubeos.tar.sha256",
        "system.qcow2.sha256",
        "packages.txt",
        "sbom.cdx.json",
        "build-tools.json",
    }
    for name in ("kubeos.tar", "system.qcow2"):
        subprocess.run(
            ["sha256sum", "--check", f"{name}.sha256"],
            check=True,
            cwd=custom_image,
            stdout=subprocess.DEVNULL,
        )


def test_partition_table(disk):
    found = table(disk)
    assert found["label"] == "gpt"
    assert [
        (entry["name"], entry["start"] / SECTORS_A_MIB, entry["size"] / SECTORS_A_MIB)
        for entry in found["partitions"]
    ] == [("BOOT", 1, 59), ("ROOT-A", 60, 2560), ("ROOT-B", 2620, 2560), ("PERSIST", 5180, 15299)]
    assert found["partitions"][0]["type"] == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    assert disk.stat().st_size == 20 << 30


def test_file_systems(cut):
    subprocess.run(["fsck.fat", "-n", cut[0]], check=True, stdout=subprocess.DEVNULL)
    kinds = []
    for path in cut:
        text = output("blkid", "--probe", "--output", "export", path)
        values = dict(line.split("=", 1) for line in text.splitlines())
        kinds.append((values["LABEL"], values["TYPE"]))
    assert kinds == [("BOOT", "vfat"), ("ROOT-A", "ext4"), ("ROOT-B", "ext4"), ("PERSIST", "ext4")]
    for path in cut[1:]:
        subprocess.run(
            ["e2fsck", "-fn", path],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def test_esp(cut):
    names = {
        line.strip().replace("::/", "")
        for line in output("mdir", "-/", "-b", "-i", cut[0]).splitlines()
    }
    assert {
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/openEuler/grubx64.efi",
        "EFI/openEuler/grub.cfg",
        "EFI/openEuler/grubenv",
        "EFI/openEuler/user.cfg",
        "EFI/openEuler/x86_64-efi/normal.mod",
    } <= names
    environment = output("mtype", "-i", cut[0], "::/EFI/openEuler/grubenv")
    assert "saved_entry=A\n" in environment
    assert len(environment) == 1024  # grub2-editenv's own size
    assert output("mtype", "-i", cut[0], "::/EFI/openEuler/user.cfg").startswith(
        "GRUB2_PASSWORD=grub.pbkdf2.sha512.10000."
    )


def test_menu_as_os_agent_edits_it(cut, disk):
    menu = output("mtype", "-i", cut[0], "::/EFI/openEuler/grub.cfg")
    lines = re.findall(r"^\s*linux.*root=(\S+)", menu, re.M)
    uuids = [entry["uuid"].lower() for entry in table(disk)["partitions"]]
    assert lines == [f"PARTUUID={uuids[1]}", f"PARTUUID={uuids[2]}"]
    assert re.findall(r'^menuentry "(\w+)"', menu, re.M) == ["A", "B"]


def test_persist_and_slot_b(cut):
    def names(image: Path, folder: str) -> set:
        return {
            line.split("/")[5]
            for line in output("debugfs", "-R", f"ls -p {folder}", image).splitlines()
            if line
        } - {".", "..", "lost+found", ""}

    assert names(cut[3], "/") == {"var", "etc", "etcwork", "opt", "optwork", "data", "deep"}
    assert names(cut[3], "/etc/KubeOS") == {"certs"}
    assert names(cut[3], "/deep") == {"er"}
    assert names(cut[2], "/") == set()


@pytest.fixture(scope="module")
def members(custom_image):
    with tarfile.open(custom_image / "kubeos.tar") as archive:
        return {member.name: member for member in archive}


def test_tar_owners_modes_and_capabilities(members):
    assert members["./boot/vmlinuz"].isreg()
    assert members["./boot/initramfs.img"].isreg()
    assert members["./boot/efi/EFI/openEuler/grub.cfg"].isreg()
    agent = members["./usr/bin/os-agent"]
    assert (agent.mode, agent.uid, agent.gid) == (0o500, 0, 0)
    assert members["./usr/bin/passwd"].mode == 0o4755
    assert members["./etc/shadow"].mode in (0, 0o600)
    assert members["./boot/efi/EFI/openEuler/user.cfg"].mode == 0o600
    capable = members["./usr/bin/ping"].pax_headers
    assert "SCHILY.xattr.security.capability" in capable
    chrony = members["./usr/share/factory/var/lib/chrony"]
    assert chrony.uid != 0
    assert members["./tmp"].mode == 0o1777


def test_nothing_of_one_machine_or_moment(members):
    assert members["./etc/machine-id"].size == 0
    for name in members:
        assert not name.startswith("./etc/ssh/ssh_host_"), name
        assert not name.startswith(("./var/", "./run/", "./tmp/", "./dev/", "./proc/")), name
        assert "dnf" not in name or "dnf" in name.split("/usr/", 1)[-1]
    assert "./usr/share/factory/var/lib/systemd/random-seed" not in members
    assert "./mark.sh" not in members
    assert "./etc/dracut.conf.d/00-kbimg-later.conf" not in members


def test_tar_and_slot_a_hold_the_same_tree(members, cut, tmp_path):
    script = tmp_path / "commands"
    names = [name[1:] for name, member in members.items() if member.isreg() and name != "."]
    sample = sorted(names)[:: max(1, len(names) // 300)]
    script.write_text("".join(f'stat "{name}"\n' for name in sample))
    found = output("debugfs", "-f", script, cut[1])
    assert found.count("Inode: ") == len(sample)
    assert "File not found" not in found


def test_qcow2_is_the_same_disk(custom_image):
    subprocess.run(
        [
            "qemu-img",
            "compare",
            "-f",
            "qcow2",
            "-F",
            "raw",
            custom_image / "system.qcow2",
            custom_image / "system.img",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
