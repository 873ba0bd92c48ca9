"""The file systems of a disk, each in a file, read by their own tools."""

from __future__ import annotations

import re
import subprocess

from building import MIB, SMALL, write_config

TREE = {
    "boot/efi/EFI/BOOT/BOOTX64.EFI": "GRUB",
    "boot/efi/EFI/openEuler/grub.cfg": "the menu",
    "usr/bin/tool": "#!/bin/sh\n",
    "etc/conf": "conf",
}


def output(*argv: object) -> str:
    return subprocess.run(list(map(str, argv)), check=True, text=True, capture_output=True).stdout


def with_tree(bench, top: str) -> None:
    bench.put("rootfs", "rootfs", TREE)
    for layer in ("initramfs", top, "customised"):
        bench.put(layer, "layer", {})


def super_block(image) -> dict[str, str]:
    return dict(re.findall(r"^([^:\n]+):\s+(.*)$", output("dumpe2fs", "-h", image), re.MULTILINE))


def is_clean(image) -> bool:
    return subprocess.run(["e2fsck", "-fn", image], check=False).returncode == 0


def test_the_esp_has_what_is_below_boot_efi(bench):
    made = bench()
    with_tree(made, "grub")
    image = made.make("esp")["esp.img"]
    assert output("mlabel", "-s", "-i", image, "::").split()[-1] == "BOOT"
    assert set(output("mdir", "-/", "-b", "-i", image, "::").split()) >= {
        "::/EFI/BOOT/BOOTX64.EFI",
        "::/EFI/openEuler/grub.cfg",
    }
    assert output("mtype", "-i", image, "::/EFI/openEuler/grub.cfg") == "the menu"
    assert "2023-11-14" in output("mdir", "-i", image, "::/EFI/openEuler/grub.cfg")
    subprocess.run(["fsck.fat", "-n", image], check=True)


def test_the_boot_partition_of_a_verified_slot(verified):
    verified.put("signed_menu", "esp", {"EFI/openEuler/grub.cfg": "the signed menu"})
    verified.put("loader", "esp", {"EFI/BOOT/BOOTX64.EFI": "shim", "EFI/README.txt": "read"})
    image = verified.make("boot_image")["update-boot.img"]
    assert output("mtype", "-i", image, "::/EFI/openEuler/grub.cfg") == "the signed menu"
    assert output("mtype", "-i", image, "::/EFI/BOOT/BOOTX64.EFI") == "shim"
    assert output("mlabel", "-s", "-i", image, "::").split()[-1] == "BOOT"


def test_the_root_file_system_of_a_verified_slot(verified):
    with_tree(verified, "signed_kernel")
    image = verified.make("root_image")["update-root.img"]
    assert image.stat().st_size == 256 * MIB
    assert is_clean(image)
    found = super_block(image)
    assert found["Filesystem volume name"] == "ROOT"
    assert found["Filesystem created"] == "Tue Nov 14 22:13:20 2023"
    assert output("debugfs", "-R", "cat /etc/conf", image) == "conf"
    assert "Mode:  0755" in output("debugfs", "-R", "stat /usr/bin/tool", image)


def test_slot_b_is_an_empty_file_system(bench):
    image = bench().make("root_b")["root-b.img"]
    assert image.stat().st_size == 256 * MIB
    assert is_clean(image)
    assert super_block(image)["Filesystem volume name"] == "ROOT-B"
    names = re.findall(r"([^/]+)//$", output("debugfs", "-R", "ls -p /", image), re.MULTILINE)
    assert names == [".", "..", "lost+found"]


def test_persist_has_the_folders_of_units_and_of_the_user(bench):
    made = bench('[persist_mkdir]\nname = ["data", "deep/er"]\n')
    image = made.make("persist")["persist.img"]
    assert super_block(image)["Filesystem volume name"] == "PERSIST"
    for folder in ("var", "etc/KubeOS/certs", "etcwork", "opt", "optwork", "data", "deep/er"):
        found = output("debugfs", "-R", f"stat /{folder}", image)
        assert "Type: directory" in found, folder
        assert "User:     0   Group:     0" in found
        assert found.count(f"{1700000000:#x}") == 4


def test_grubs_own_partition_for_a_bios(bench, tmp_path):
    text = (
        write_config(tmp_path, SMALL)
        .read_text()
        .replace("legacy_bios = false", "legacy_bios = true")
    )
    made = bench(text=text)
    made.put("rootfs", "rootfs", {"boot/grub2/grub.cfg": "the menu", "etc/conf": "conf"})
    for layer in ("initramfs", "grub", "customised"):
        made.put(layer, "layer", {})
    image = made.make("grub2")["grub2.img"]
    assert is_clean(image)
    assert output("debugfs", "-R", "cat /grub.cfg", image) == "the menu"
