"""QEMU's command line, made of the parts of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbimg_tasks.commands.boot.boards import EMULATION
from kbimg_tasks.commands.boot.hardware import (
    Addresses,
    Bios,
    Drive,
    Kernel,
    SecureBoot,
    Tap,
    UserNetwork,
)
from kbimg_tasks.commands.boot.vm import Host, VirtualMachine, argv
from kbimg_tasks.machine.architecture import AARCH64

DISK, FOLDER = Path("/images/disk.img"), Path("/run/node")
UEFI = (Path("/code.fd"), Path("/run/node/variables.fd"))
KVM = Host("qemu", "kvm", UEFI)
EMULATED = Host("qemu", EMULATION, UEFI)


def values(words: list[str], option: str) -> list[str]:
    """The value after an option."""
    return [words[at + 1] for at, word in enumerate(words) if word == option]


def test_a_disk_is_what_the_firmware_starts_first():
    words = argv(VirtualMachine(Drive(DISK, "qcow2"), FOLDER), KVM, ())
    assert words[0] == "qemu"
    assert values(words, "-drive") == [
        "if=pflash,unit=0,format=raw,readonly=on,file=/code.fd",
        "if=pflash,unit=1,format=raw,file=/run/node/variables.fd",
        "if=none,id=disk,format=qcow2,file=/images/disk.img,cache=unsafe",
    ]
    assert "virtio-blk-pci,drive=disk,bootindex=1" in values(words, "-device")
    assert values(words, "-netdev") == ["user,id=net"]
    assert values(words, "-cpu") == ["max"]


@pytest.mark.parametrize(
    ("adapter", "devices"),
    [
        ("nvme", ["nvme,drive=disk,bootindex=1,serial=kbimg"]),
        ("scsi-hd", ["virtio-scsi-pci", "scsi-hd,drive=disk,bootindex=1"]),
    ],
)
def test_how_a_disk_is_attached(adapter: str, devices: list):
    words = argv(VirtualMachine(Drive(DISK, adapter=adapter), FOLDER), KVM, ())
    assert values(words, "-device")[: len(devices)] == devices


def test_secure_boot_keeps_the_boot_entries_of_the_disk():
    machine = VirtualMachine(Drive(DISK), FOLDER, SecureBoot(Path("/enrolled.fd")))
    words = argv(machine, EMULATED, ())
    assert "virtio-blk-pci,drive=disk" in values(words, "-device")
    assert values(words, "-machine") == ["q35", "smm=on"]
    assert (values(words, "-cpu"), values(words, "-smp")) == (["Nehalem"], ["1"])
    assert values(argv(machine, KVM, ()), "-smp") == ["2"]


def test_a_bios_has_no_flash():
    words = argv(VirtualMachine(Drive(DISK), FOLDER, Bios()), Host("qemu", "kvm", None), ())
    assert not [word for word in words if "pflash" in word]


def test_an_emulated_processor_of_another_architecture():
    words = argv(VirtualMachine(Drive(DISK), FOLDER, architecture=AARCH64), EMULATED, ())
    assert values(words, "-machine") == ["virt"]
    assert values(words, "-cpu") == ["max,pauth-impdef=on"]


def test_an_installer_with_its_server():
    addresses = Addresses("10.0.0.0/24", "10.0.0.1", "10.0.0.3", "10.0.0.4")
    words = argv(
        VirtualMachine(
            Drive(DISK),
            FOLDER,
            network=UserNetwork(2222, (("10.0.0.2", "serve it"),), addresses),
            kernel=Kernel(Path("/vmlinuz"), Path("/initramfs.img"), "console=ttyS0"),
            ends_at_reboot=True,
        ),
        KVM,
        ("-serial", "mon:stdio"),
    )
    assert values(words, "-netdev") == [
        "user,id=net,net=10.0.0.0/24,host=10.0.0.1,dns=10.0.0.3,dhcpstart=10.0.0.4"
        ",hostfwd=tcp:127.0.0.1:2222-:22,guestfwd=tcp:10.0.0.2:80-cmd:serve it"
    ]
    assert values(words, "-kernel") == ["/vmlinuz"]
    assert values(words, "-initrd") == ["/initramfs.img"]
    assert values(words, "-append") == ["console=ttyS0"]
    assert words[-3:] == ["-no-reboot", "-serial", "mon:stdio"]


def test_a_tap_interface_of_a_network_namespace():
    words = argv(VirtualMachine(Drive(DISK), FOLDER, network=Tap("cable", "site")), KVM, ())
    assert words[:5] == ["ip", "netns", "exec", "site", "qemu"]
    assert values(words, "-netdev") == ["tap,id=net,ifname=cable,script=no,downscript=no"]
    assert "virtio-net-pci,netdev=net,bootindex=2,romfile=" in values(words, "-device")


def test_further_arguments_come_last():
    machine = VirtualMachine(Drive(DISK), FOLDER, more=("-incoming", "defer"))
    assert argv(machine, KVM, ("-serial", "none"))[-4:] == ["-serial", "none", "-incoming", "defer"]
