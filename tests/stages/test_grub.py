"""GRUB on the disk. Its programs are stand-ins in the tree that write their arguments; grub.cfg is
read as text."""

from __future__ import annotations

import re

import pytest
from building import SMALL, write_config

from kbimg_tasks.build.runner import StageFailed

pytestmark = pytest.mark.image

ESP = "boot/efi/EFI/openEuler"


@pytest.fixture
def made(bench, put_system):
    """The stages of a machine with UEFI, whose packages are installed."""
    one = bench()
    put_system(one)
    return one


def test_grub_for_uefi(made):
    layer = made.make("grub")["layer"]
    image = (layer / ESP / "grubx64.efi").read_text()
    assert "--format=x86_64-efi" in image
    assert "--prefix=(,gpt1)/EFI/openEuler" in image
    assert image.split()[-1] == "halt"
    assert (layer / "boot/efi/EFI/BOOT/BOOTX64.EFI").read_text() == image
    assert (layer / ESP / "x86_64-efi/normal.mod").read_text() == "x86_64-efi"
    assert (layer / ESP / "grubenv").read_text().splitlines()[1:] == ["saved_entry=A"]
    assert not (layer / ESP / "user.cfg").exists()


def test_grub_for_a_bios(bench, put_system, tmp_path):
    text = write_config(tmp_path, SMALL).read_text()
    made = bench(text=text.replace("legacy_bios = false", "legacy_bios = true"))
    put_system(made)
    layer = made.make("grub")["layer"]
    image = (layer / "boot/grub2/i386-pc/core.img").read_text()
    assert "--format=i386-pc" in image
    assert "biosdisk" in image.split()
    assert "insmod part_msdos" in (layer / "boot/grub2/grub.cfg").read_text()


def test_the_menu_names_the_slots_of_the_disk(made):
    menu = (made.make("grub")["layer"] / ESP / "grub.cfg").read_text()
    assert re.findall(r'set root="\$\{disk\},(\w+)"', menu) == ["gpt2", "gpt3"]
    roots = re.findall(r"root=PARTUUID=([0-9a-f-]{36}) ro rootfstype=ext4", menu)
    assert len(set(roots)) == 2
    assert not re.search(r"@\w+@", menu)


def test_the_password_is_in_the_layer_as_a_hash(bench, put_system):
    made = bench('[grub]\npasswd = "a secret"\n')
    put_system(made)
    layer = made.make("grub")["layer"]
    user = layer / ESP / "user.cfg"
    assert user.read_text().startswith("GRUB2_PASSWORD=grub.pbkdf2.sha512.")
    assert "a secret" not in user.read_text()
    assert user.stat().st_mode & 0o777 == 0o600


def test_a_tree_without_grub_makes_no_layer(made):
    (made.path("rootfs", "rootfs") / "usr/bin/grub2-mkimage").unlink()
    with pytest.raises(StageFailed, match="grub2-mkimage"):
        made.make("grub")
    assert not made.path("grub", "layer").exists()
