"""The parts of a virtual machine, and QEMU's arguments for each (qemu(1))."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from attrs import frozen

# The controller of a kind of disk, if it is a separate device.
CONTROLLERS = {"scsi-hd": ("-device", "virtio-scsi-pci")}


@frozen
class Drive:
    """A disk image, which the machine changes; `adapter` is `virtio-blk-pci`, `nvme` or
    `scsi-hd`."""

    path: Path
    format: str = "raw"
    adapter: str = "virtio-blk-pci"

    def argv(self, *, is_first: bool) -> tuple[str, ...]:
        """QEMU's arguments. With `is_first` the firmware boots from this disk, whatever its boot
        entries say."""
        identity = ",serial=kbimg" if self.adapter == "nvme" else ""
        first = ",bootindex=1" if is_first else ""
        return (
            "-drive",
            f"if=none,id=disk,format={self.format},file={self.path},cache=unsafe",
            *CONTROLLERS.get(self.adapter, ()),
            "-device",
            f"{self.adapter},drive=disk{first}{identity}",
        )


@frozen
class Kernel:
    """A kernel, an initramfs and the kernel command line, booted instead of the disk."""

    image: Path
    initramfs: Path
    command_line: str = ""

    def argv(self) -> tuple[str, ...]:
        """Arguments of QEMU."""
        return (
            *("-kernel", str(self.image)),
            *("-initrd", str(self.initramfs)),
            *("-append", self.command_line),
        )


@frozen
class Bios:
    """A machine with a BIOS."""


@frozen
class Uefi:
    """A machine with UEFI and an empty variable store."""


@frozen
class SecureBoot:
    """A machine with UEFI and Secure Boot, whose variable store begins as a copy of `variables`,
    in which certificates are enrolled."""

    variables: Path


Firmware = Union[Bios, Uefi, SecureBoot]


@frozen
class Addresses:
    """The addresses of a user network: the network with its prefix, the host, the name server, and
    the first of those that DHCP assigns."""

    net: str
    host: str
    dns: str
    first: str


@frozen
class UserNetwork:
    """QEMU's user network, which needs no privileges.

    `ssh_port` of this host leads to the machine's SSH server. `served` are addresses of the
    network, each with a command that answers connections to its port 80.
    """

    ssh_port: int | None = None
    served: tuple[tuple[str, str], ...] = ()
    addresses: Addresses | None = None

    @property
    def prefix(self) -> tuple[str, ...]:
        """The command that QEMU is run by: none."""
        return ()

    def argv(self) -> tuple[str, ...]:
        """Arguments of QEMU."""
        options = "user,id=net"
        if self.addresses:
            found = self.addresses
            options += f",net={found.net},host={found.host},dns={found.dns},dhcpstart={found.first}"
        if self.ssh_port:
            options += f",hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"
        for address, command in self.served:
            options += f",guestfwd=tcp:{address}:80-cmd:{command}"
        return ("-netdev", options, "-device", "virtio-net-pci,netdev=net")


@frozen
class Tap:
    """An existing TAP interface in the network namespace `namespace`.

    The machine boots from it by UEFI's driver if the disk does not boot. The adapter's ROM is left
    out, because it is an iPXE.
    """

    interface: str
    namespace: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """The command that QEMU is run by."""
        return ("ip", "netns", "exec", self.namespace)

    def argv(self) -> tuple[str, ...]:
        """Arguments of QEMU."""
        return (
            "-netdev",
            f"tap,id=net,ifname={self.interface},script=no,downscript=no",
            "-device",
            "virtio-net-pci,netdev=net,bootindex=2,romfile=",
        )


Network = Union[UserNetwork, Tap]
