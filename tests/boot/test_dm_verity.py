"""A verified image under Secure Boot boots, and a changed one does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import secure_boot
from building import build, write_config
from console import BOOT_SECONDS, Node

from kbimg_tasks.machine.architecture import AARCH64
from kbimg_tasks.tools import pe

pytestmark = [pytest.mark.boot, pytest.mark.timeout(3000)]

PACKAGES = ("NetworkManager", "e2fsprogs", "kernel", "openssh-server", "passwd", "tar")
LONG = 900
GRUB = "::/EFI/openEuler/grubx64.efi"
MENU = "::/EFI/openEuler/grub.cfg"
IDENTITY = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"
SYSTEMD = "/usr/lib/systemd/systemd"
# What a node says when it starts nothing. The second message of shim is that of version 16.
REVOKED = "Security Violation | Binary is forbidden: Security Policy Violation"
OTHER_MENU = "this slot has no grub.cfg with a valid signature; trying the other slot"
NO_MENU = "neither slot has a grub.cfg with a valid signature"
NO_KERNEL = "slot A has no kernel and initramfs with valid signatures"
NO_ROOT = "its root file system does not agree with the root hash"


@pytest.fixture(scope="module")
def arm(arm_repository: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("arm")
    write_config(folder, PACKAGES, secure_boot.MORE + secure_boot.SIZES)
    return build(folder, "arch=aarch64")


@pytest.fixture(scope="module")
def running(resume: Callable[[str, Path], Node], tmp_path_factory) -> Iterator[Node]:
    with resume("verified_image", tmp_path_factory.mktemp("running")) as node:
        yield node


@pytest.fixture
def disk(verified_image: Path, tmp_path: Path) -> Path:
    return secure_boot.copy(verified_image, tmp_path)


def spaced(message: str) -> str:
    """The pattern of a message that a console breaks into lines and colours."""
    return r"(\s|\x1b\[[0-9;]*[A-Za-z])+".join(map(re.escape, message.split()))


def stops(verified_image: Path, disk: Path, *messages: str, **more) -> None:
    """The machine prints the messages, in this order, and starts no system."""
    with Node(secure_boot.machine(verified_image, disk.parent, disk, **more)) as node:
        for message in messages:
            node.expect("|".join(map(spaced, message.split(" | "))), 180)
        said = node.machine.log.read_text(errors="replace")
    assert "login:" not in said and "Welcome to" not in said.replace("Welcome to GRUB", "")


def runs_verified(node: Node, version: str, slot: str) -> None:
    assert node.run(". /etc/os-release; echo $VERSION_ID") == version
    assert node.run("kubeos-dmv slot")[0] == slot
    status = node.run("veritysetup status kubeos-root")
    assert re.search(r"status:\s+verified", status), status
    assert node.run("findmnt --noheadings --output SOURCE,OPTIONS /").split()[:2] == [
        "/dev/mapper/kubeos-root",
        "ro,relatime",
    ]
    number = {"A": "1", "B": "4"}[slot]
    assert node.run("findmnt --noheadings --output SOURCE /boot/efi")[-1] == number
    assert node.state(BOOT_SECONDS) == ("running", "")


def test_it_runs_verified(running: Node):
    assert running.run("mokutil --sb-state") == "SecureBoot enabled"
    runs_verified(running, "v1", "A")
    words = running.run("cat /proc/cmdline")
    assert re.search(r" console=ttyS0 apparmor=0 dmvroothash=[0-9a-f]{64}$", words)


def test_a_slot_is_found_on_a_disk_of_another_name(running: Node):
    assert running.run("kubeos-dmv slot") == "A /dev/sda1 /dev/sda2 /dev/sda3"


def test_root_cannot_be_written(running: Node):
    assert running.result("touch /usr/x")[1] != 0
    assert running.result("mount -o remount,rw /")[1] != 0


def test_host_keys_are_the_nodes_own(running: Node):
    running.run("test ! -e /persist/../usr/share/factory/etc/ssh/ssh_host_ed25519_key")
    running.run("test -s /persist/etc/ssh/ssh_host_ed25519_key")


def test_a_start_counts_as_good_after_a_while(running: Node):
    assert running.run("cat /persist/kubeos-dmv/starts-A") == "1"
    running.run("systemctl stop kubeos-slot-good")
    running.run("test ! -e /persist/kubeos-dmv/starts-A")


def test_switching_to_an_empty_slot_is_refused(running: Node):
    said, status = running.result("kubeos-dmv switch")
    assert (said, status) == (
        "kubeos-dmv: slot B has never been written: run kubeos-dmv upgrade first",
        1,
    )
    said, status = running.result("kubeos-dmv upgrade")
    assert (said, status) == ("kubeos-dmv: there is no /persist/update-root.img", 1)


def test_grub_that_is_not_signed(verified_image: Path, disk: Path, tmp_path: Path):
    secure_boot.run("mcopy", "-i", secure_boot.esp(disk), GRUB, tmp_path / "signed.efi")
    (tmp_path / "bare.efi").write_bytes(pe.unsigned(tmp_path / "signed.efi"))
    secure_boot.run("mcopy", "-o", "-i", secure_boot.esp(disk), tmp_path / "bare.efi", GRUB)
    stops(verified_image, disk, "Security Violation")


def test_grub_of_the_distribution(verified_image: Path, disk: Path):
    """GRUB signed by the vendor, which shim trusts, but which checks no OpenPGP signature."""
    theirs = verified_image / ".kbimg/stages/rootfs/rootfs/boot/efi/EFI/openEuler/grubx64.efi"
    secure_boot.run("mcopy", "-o", "-i", secure_boot.esp(disk), theirs, GRUB)
    stops(verified_image, disk, REVOKED)


def test_menu_changed(verified_image: Path, disk: Path, tmp_path: Path):
    menu = tmp_path / "grub.cfg"
    secure_boot.run("mcopy", "-i", secure_boot.esp(disk), MENU, menu)
    menu.write_text(menu.read_text().replace("apparmor=0", "apparmor=1", 1))
    secure_boot.run("mcopy", "-o", "-i", secure_boot.esp(disk), menu, MENU)
    stops(verified_image, disk, OTHER_MENU, NO_MENU)


@pytest.mark.long
def test_menu_without_its_signature(verified_image: Path, disk: Path):
    secure_boot.run("mdel", "-i", secure_boot.esp(disk), f"{MENU}.sig")
    stops(verified_image, disk, OTHER_MENU, NO_MENU)


def test_menu_edited_without_the_password(verified_image: Path, disk: Path):
    with Node(secure_boot.machine(verified_image, disk.parent, disk)) as node:
        node.expect("automatically in", 180)
        node.line.send(b"e")
        node.expect("Enter username:", 60)
        node.line.send(b"root\r")
        node.expect("Enter password:", 60)
        node.line.send(b"not the password\r")
        node.expect("automatically in|Booting|access denied|GNU GRUB", 60)
        assert "dmvroothash" not in node.machine.log.read_text(errors="replace")


def test_initramfs_changed(verified_image: Path, disk: Path):
    secure_boot.flip_in_file(disk, "A", "/boot/initramfs.img")
    stops(verified_image, disk, "bad signature", NO_KERNEL)


def test_kernel_of_another_key(verified_image: Path, disk: Path, tmp_path: Path):
    secure_boot.run(
        "openssl",
        "req",
        "-new",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=another",
        "-keyout",
        tmp_path / "key",
        "-out",
        tmp_path / "crt",
    )
    theirs = verified_image / ".kbimg/stages/rootfs/rootfs/boot/vmlinuz"
    secure_boot.run(
        "sbsign",
        "--key",
        tmp_path / "key",
        "--cert",
        tmp_path / "crt",
        "--output",
        tmp_path / "vmlinuz",
        theirs,
    )
    secure_boot.replace_in_root(disk, "/boot/vmlinuz", tmp_path / "vmlinuz")
    stops(verified_image, disk, "bad signature", NO_KERNEL)


@pytest.mark.long
def test_hash_tree_changed_and_no_other_slot(verified_image: Path, disk: Path):
    """Both slots fail: the machine stops and does not switch forever."""
    part = secure_boot.TABLE.by_label("HASH-A")
    secure_boot.flip(disk, part.start_mib * secure_boot.MIB + 4096 + 8)
    with Node(secure_boot.machine(verified_image, disk.parent, disk)) as node:
        node.expect(NO_ROOT, 180)
        node.expect("starting the other slot", 60)
        node.expect_end()
        node.start_again()
        node.expect("neither slot is good, the machine stops", 240)


def test_upgrade_and_damage(resume: Callable[[str, Path], Node], tmp_path: Path):
    """To slot B by the node's own programs, and back to A, which was damaged meanwhile."""
    with resume("verified_image", tmp_path) as node:
        identity = node.run(IDENTITY)
        node.run("echo kept > /etc/kept; echo kept > /var/lib/kept")
        for name in ("boot", "root", "hash"):
            node.run(f"mv /persist/later-{name}.img /persist/update-{name}.img")
        assert "slot B has the new version" in node.run("kubeos-dmv upgrade", LONG)
        assert "slot B is the next to boot" in node.run("kubeos-dmv switch")
        node.reboot()
        runs_verified(node, "v2", "B")
        assert node.run(IDENTITY) == identity
        assert node.run("cat /etc/kept /var/lib/kept").split() == ["kept"] * 2
        node.run("kubeos-dmv switch")
        node.off()
        secure_boot.flip_in_file(node.machine.drive.path, "A", SYSTEMD)
        node.start_again()
        node.expect(f"slot A: {NO_ROOT}", BOOT_SECONDS)
        node.expect("starting the other slot", 60)
        node.expect_end()
        node.start_again()
        node.expect("Booting `B'", BOOT_SECONDS)


@pytest.mark.long
def test_upgrade_and_back_and_damage(verified_image: Path, next_version: Path, disk: Path):
    persist = secure_boot.TABLE.by_label("PERSIST").start_mib * secure_boot.MIB
    for name in ("update-boot.img", "update-root.img", "update-hash.img"):
        secure_boot.run(
            "debugfs", "-w", "-R", f"write {next_version / name} {name}", f"{disk}?offset={persist}"
        )
    with Node(secure_boot.machine(verified_image, disk.parent, disk)) as node:
        node.login()
        runs_verified(node, "v1", "A")
        identity = node.run(IDENTITY)
        assert "slot B has the new version" in node.run("kubeos-dmv upgrade", LONG)
        assert "slot B is the next to boot" in node.run("kubeos-dmv switch")
        node.reboot()
        runs_verified(node, "v2", "B")
        assert node.run(IDENTITY) == identity
        node.run("kubeos-dmv switch")

        node.off()
        repair = secure_boot.flip_in_file(disk, "A", SYSTEMD)
        node.start_again()
        node.expect(f"slot A: {NO_ROOT}", BOOT_SECONDS)
        node.comes_back()
        runs_verified(node, "v2", "B")
        node.run("kubeos-dmv switch")
        node.off()
        repair()
        node.start_again()
        node.login()
        runs_verified(node, "v1", "A")
        node.run("kubeos-dmv switch")
        node.off()
        secure_boot.flip_in_file(disk, "B", SYSTEMD)
        node.start_again()
        node.expect(f"slot B: {NO_ROOT}", BOOT_SECONDS)
        node.comes_back()
        runs_verified(node, "v1", "A")
        node.off()


@pytest.mark.long
def test_a_block_that_is_read_late(verified_image: Path, disk: Path):
    """A block that the initramfs does not read: reading it restarts the machine, and after the
    third boot the other slot is booted."""
    secure_boot.flip_in_file(disk, "A", "/usr/sbin/sshd")
    with Node(secure_boot.machine(verified_image, disk.parent, disk)) as node:
        for _ in range(3):
            node.expect_end(BOOT_SECONDS)
            node.start_again()
        node.expect("slot A: it did not come up in 3 boots", BOOT_SECONDS)
        node.expect("starting the other slot", 60)


@pytest.mark.long
@pytest.mark.parametrize(
    ("adapter", "slot"),
    [
        ("nvme", "A /dev/nvme0n1p1 /dev/nvme0n1p2 /dev/nvme0n1p3"),
        ("virtio-blk-pci", "A /dev/vda1 /dev/vda2 /dev/vda3"),
    ],
)
def test_disks_of_other_names(verified_image: Path, disk: Path, adapter: str, slot: str):
    with Node(secure_boot.machine(verified_image, disk.parent, disk, adapter=adapter)) as node:
        node.login()
        runs_verified(node, "v1", "A")
        assert node.run("kubeos-dmv slot") == slot


@pytest.mark.long
def test_aarch64_runs_verified(arm: Path, tmp_path: Path):
    disk = secure_boot.copy(arm, tmp_path)
    with Node(secure_boot.machine(arm, tmp_path, disk, AARCH64)) as node:
        node.login()
        assert node.run("uname --machine") == "aarch64"
        assert node.run("mokutil --sb-state") == "SecureBoot enabled"
        runs_verified(node, "v1", "A")
        words = node.run("cat /proc/cmdline")
        assert re.search(r" console=ttyAMA0 apparmor=0 dmvroothash=[0-9a-f]{64}$", words)


@pytest.mark.long
def test_aarch64_with_another_menu_starts_nothing(arm: Path, tmp_path: Path):
    disk = secure_boot.copy(arm, tmp_path)
    menu = tmp_path / "grub.cfg"
    secure_boot.run("mcopy", "-n", "-i", secure_boot.esp(disk), MENU, menu)
    menu.write_text(menu.read_text().replace("timeout=5", "timeout=4"))
    secure_boot.run("mcopy", "-o", "-i", secure_boot.esp(disk), menu, MENU)
    stops(arm, disk, OTHER_MENU, NO_MENU, architecture=AARCH64)
