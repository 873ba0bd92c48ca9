"""kubeos.tar, a container's layer as a tar, and the checksum of a result."""

from __future__ import annotations

import os
import subprocess
import tarfile

import pytest
from building import DEMO

ADMIN = (
    f'[admin_container]\nimg_name = "admin:v1"\nhostshell = "/usr/bin/nsenter"\n'
    f'repo_path = "{DEMO / "demo.repo"}"\n'
)


@pytest.fixture
def layered(bench):
    """A root tree in four layers, whose upper ones replace files of the lower ones."""
    made = bench()
    below = made.put(
        "rootfs",
        "rootfs",
        {"etc/conf": "the package's", "usr/bin/z": "z", "usr/bin/a": "a", "bin/b": "b"},
    )
    os.chown(below / "usr/bin/a", 12, 34)
    (below / "usr/bin/a").chmod(0o4755)
    os.setxattr(below / "usr/bin/a", "user.note", b"kept")
    made.put("initramfs", "layer", {"boot/initramfs.img": "initramfs"})
    made.put("grub", "layer", {"boot/efi/EFI/openEuler/grub.cfg": "menu"})
    made.put("customised", "layer", {"etc/conf": "the user's"})
    return made


def test_the_tar_has_all_layers_merged(layered):
    tar = layered.make("kubeos_tar")["kubeos.tar"]
    with tarfile.open(tar) as archive:
        names = archive.getnames()
        files = {info.name: info for info in archive if info.isfile()}
        conf = archive.extractfile("./etc/conf").read()
    assert set(files) == {
        "./bin/b",
        "./boot/efi/EFI/openEuler/grub.cfg",
        "./boot/initramfs.img",
        "./etc/conf",
        "./usr/bin/a",
        "./usr/bin/z",
    }
    assert conf == b"the user's"
    assert names == sorted(names)
    program = files["./usr/bin/a"]
    assert (program.uid, program.gid, program.mode) == (12, 34, 0o4755)
    assert (program.uname, program.gname) == ("", "")
    assert program.pax_headers["SCHILY.xattr.user.note"] == "kept"
    assert not {"atime", "ctime"} & set(program.pax_headers)


def test_the_sum_is_of_the_tar(layered):
    layered.make("kubeos_tar")
    sums = layered.make("kubeos_tar_sha256")["kubeos.tar.sha256"]
    subprocess.run(["sha256sum", "--check", "--strict", sums.name], check=True, cwd=sums.parent)


def test_a_containers_tree(bench):
    made = bench(text=ADMIN)
    made.put("admin_rootfs", "rootfs", {"usr/bin/sh": "sh"})
    made.put("admin_customised", "layer", {"usr/local/bin/hostshell": "hostshell"})
    tar = made.make("admin_tar")["tree.tar"]
    with tarfile.open(tar) as archive:
        files = [info.name for info in archive if info.isfile()]
    assert files == ["./usr/bin/sh", "./usr/local/bin/hostshell"]
