"""A root tree from an upgrade image written by `upgrade_archive`."""

from __future__ import annotations

import os
import tarfile
import uuid

import pytest
from building import SMALL, write_config

from kbimg_tasks.build.runner import StageFailed

ESP = "boot/efi/EFI/openEuler"
MENU = 'linux /boot/vmlinuz root=PARTUUID=an-older-disk ro\nlinux /boot/vmlinuz root="b" ro\n'
TREE = {
    "boot/vmlinuz": "a kernel",
    "boot/initramfs.img": "an initramfs",
    "usr/bin/os-agent": "#!/bin/sh\n",
    "usr/bin/gzip": "#!/bin/sh\n",
    "usr/lib/modules/6.6.0/modules.dep": "",
    f"{ESP}/grub.cfg": MENU,
    f"{ESP}/grubenv": "saved_entry=A",
    f"{ESP}/grubx64.efi": "GRUB",
}
FROM = (
    '[from_dockerimg]\nupgrade_img = "kubeos-upgrade:v1"\narchive = "upgrade_img.tar"\n'
    "legacy_bios = false\n"
)


@pytest.fixture
def upgrade(new_bench, tmp_path):
    """Write an upgrade image of a tree into the test's folder."""

    def write(tree: dict) -> None:
        folder = tmp_path / "before"
        folder.mkdir()
        text = write_config(folder, SMALL).read_text()
        before = new_bench(
            folder, text=text.replace("version", 'upgrade_img = "kubeos-upgrade:v1"\nversion')
        )
        top = before.put("rootfs", "rootfs", tree)
        os.chown(top / "usr/bin/gzip", 12, 34)
        (top / "usr/bin/gzip").chmod(0o4775)
        for layer in ("initramfs", "grub", "customised"):
            before.put(layer, "layer", {})
        before.make("kubeos_tar")
        archive = before.make("upgrade_archive")["upgrade_img.tar"]
        archive.rename(tmp_path / "upgrade_img.tar")

    return write


def test_the_tree_comes_out_as_it_went_in(bench, upgrade):
    upgrade(TREE)
    made = bench(text=FROM)
    taken = made.make("kubeos_tar")
    with tarfile.open(taken["kubeos.tar"]) as tar:
        assert "./usr/bin/os-agent" in tar.getnames()
    assert int(taken["clock"].read_text()) == 1700000000
    tree = made.make("unpacked")["rootfs"]
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert found == set(TREE)
    status = (tree / "usr/bin/gzip").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (12, 34, 0o4775)
    assert (tree / "boot/vmlinuz").stat().st_mtime == 1700000000


def test_an_image_without_os_agent_is_refused(bench, upgrade):
    upgrade({name: what for name, what in TREE.items() if name != "usr/bin/os-agent"})
    made = bench(text=FROM)
    with pytest.raises(StageFailed, match="os-agent"):
        made.make("kubeos_tar")
    assert not made.path("kubeos_tar", "kubeos.tar").exists()


def test_the_menu_names_the_slots_of_this_disk(bench):
    made = bench(text=FROM)
    made.put("unpacked", "rootfs", TREE)
    layer = made.make("menu")["layer"]
    files = [str(path.relative_to(layer)) for path in layer.rglob("*") if path.is_file()]
    assert files == [f"{ESP}/grub.cfg"]
    menu = (layer / ESP / "grub.cfg").read_text().splitlines()
    a, b = (line.split("root=PARTUUID=")[1].split()[0] for line in menu)
    assert a != b
    assert uuid.UUID(a).version == uuid.UUID(b).version == 5


def test_the_kernel_of_the_tree(bench):
    text = FROM + (
        '[pxe_config]\nserver_ip = "192.168.1.50"\nrootfs_name = "kubeos.tar"\n'
        'disk = "/dev/vda"\nroute_ip = "192.168.1.1"\ndhcp = true\n'
    )
    made = bench(text=text)
    made.put("unpacked", "rootfs", TREE)
    told = made.make("kernel")
    assert told["kernel-version"].read_text() == "6.6.0\n"
    assert told["compressor"].read_text() == "gzip -1 -n\n"
