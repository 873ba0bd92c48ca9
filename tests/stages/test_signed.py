"""The files that firmware and GRUB check, signed with real keys and verified by other programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from building import MIB

from kbimg_tasks.build.runner import StageFailed

pytestmark = pytest.mark.image

# A UEFI program that iPXE's package has on Debian, or on openEuler.
PROGRAM = next(
    path
    for path in (Path("/usr/lib/ipxe/snponly.efi"), Path("/usr/share/ipxe/ipxe-snponly-x86_64.efi"))
    if path.exists()
)


def sbverify(certificate: Path, program: Path) -> bool:
    done = subprocess.run(
        ["sbverify", "--cert", certificate, program], check=False, capture_output=True
    )
    return done.returncode == 0


def gpgv(public: Path, path: Path) -> bool:
    done = subprocess.run(
        ["gpgv", "--ignore-time-conflict", "--keyring", public, f"{path}.sig", path],
        check=False,
        capture_output=True,
    )
    return done.returncode == 0


@pytest.fixture(scope="module")
def layer(signing) -> Path:
    """The layer with the kernel and the signatures."""
    signing.put("rootfs", "rootfs", {"boot/vmlinuz": PROGRAM.read_bytes()})
    signing.put("initramfs", "layer", {"boot/initramfs.img": "an initramfs"})
    return Path(signing.make("signed_kernel")["layer"])


@pytest.fixture
def boot(signing, layer, tmp_path) -> Path:
    """A copy of /boot of the verified root, with the initramfs."""
    shutil.copytree(layer / "boot", tmp_path / "boot")
    shutil.copy(signing.path("initramfs", "layer") / "boot/initramfs.img", tmp_path / "boot")
    return Path(tmp_path / "boot")


def test_boot_files_are_signed(layer, boot, signing_keys):
    names = {path.name for path in (layer / "boot").iterdir()}
    assert names == {"initramfs.img.sig", "vmlinuz", "vmlinuz.sig"}
    assert sbverify(signing_keys / "rsa4BIOS.crt", boot / "vmlinuz")
    assert gpgv(signing_keys / "gpg.key", boot / "vmlinuz")
    assert gpgv(signing_keys / "gpg.key", boot / "initramfs.img")


def test_every_signature_is_checked_on_the_finished_images(signing, boot, tmp_path):
    """For a slot whose boot partition is filled by one signed program."""
    esp = tmp_path / "esp/EFI"
    for name in ("BOOT/BOOTX64.EFI", "BOOT/fbx64.efi", "BOOT/mmx64.efi"):
        place(boot / "vmlinuz", esp / name)
    for name in ("grubx64.efi", "mmx64.efi", "shimx64.efi"):
        place(boot / "vmlinuz", esp / "openEuler" / name)
    place(boot / "initramfs.img", esp / "openEuler/grub.cfg")
    place(boot / "initramfs.img.sig", esp / "openEuler/grub.cfg.sig")
    image = signing.put("boot_image", "update-boot.img", b"")
    subprocess.run(["mkfs.vfat", "-C", image.with_name("fat"), "8192"], check=True)
    image.with_name("fat").rename(image)
    subprocess.run(["mcopy", "-s", "-i", image, esp, "::"], check=True)
    root = signing.put("root_image", "update-root.img", b"")
    with root.open("wb") as stream:
        stream.truncate(16 * MIB)
    tree = tmp_path / "root"
    shutil.copytree(boot, tree / "boot")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, root], check=True)
    report = signing.make("signatures")["signatures"].read_text().splitlines()
    assert [line.split("  ")[1:] for line in report].count(["Secure Boot", "vmlinuz"]) == 1
    assert len(report) == 6 + 1 + 3

    subprocess.run(
        ["mcopy", "-o", "-i", image, PROGRAM, "::/EFI/openEuler/grubx64.efi"], check=True
    )
    with pytest.raises(StageFailed, match=r"grubx64\.efi is not signed as nodes demand it"):
        signing.make("signatures")


def place(path: Path, target: Path) -> None:
    """Copy a file to where there may be no folder yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def test_a_menu_with_the_root_hash(signing, signing_keys):
    root_hash = "ab" * 32
    signing.put("hash_tree", "root-hash", f"{root_hash}\n")
    menu = signing.make("signed_menu")["esp"] / "EFI/openEuler/grub.cfg"
    assert menu.read_text().count(f"dmvroothash={root_hash}") == 2
    assert gpgv(signing_keys / "gpg.key", menu)
    menu.write_text(menu.read_text().replace("quiet", "debug"))
    assert not gpgv(signing_keys / "gpg.key", menu)
