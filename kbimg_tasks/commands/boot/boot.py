"""Boots a built image in QEMU, with the terminal as its serial console.

The machine gets a copy of the disk, so its changes are discarded. If the image is not verified, the
copy's grub.cfg gets the kernel argument for the serial console, which an operator would add in
GRUB.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.commands import pxe_serve
from kbimg_tasks.commands.boot import menu as menus
from kbimg_tasks.commands.boot import pipe
from kbimg_tasks.commands.boot.boards import BOARDS, firmware
from kbimg_tasks.commands.boot.hardware import (
    Addresses,
    Bios,
    Drive,
    Firmware,
    Kernel,
    SecureBoot,
    Uefi,
    UserNetwork,
)
from kbimg_tasks.commands.boot.vm import VirtualMachine, run_on_terminal
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.tables import PxeConfig
from kbimg_tasks.host import process, remove
from kbimg_tasks.machine.architecture import Architecture, consoles
from kbimg_tasks.machine.partitions import SMALLEST_DISK_BYTES, plan_table, smallest_disk_mib
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.tools.trust_names import DER, revoked_certificate
from kbimg_tasks.tools.units import MIB
from kbimg_tasks.tools.user_error import UserError

# The smallest disk that the installer accepts (data/dracut/91kubeos-install), rounded up.
OWNER = "8be4df61-93ca-11d2-aa0d-00e098032b8c"  # EFI_GLOBAL_VARIABLE, UEFI specification 3.3
BY_DHCP_PREFIX = 24
# A result that only verified images have: the boot partition, with the certificates to enroll.
VERIFIED = "update-boot.img"
ADAPTERS = {"/dev/vda": "virtio-blk-pci", "/dev/nvme0n1": "nvme"}


@frozen
class Request:
    """The machine to start."""

    config: Config
    layout: Layout
    architecture: Architecture
    ssh_port: int | None
    memory_mib: int


def boot_disk(asked: Request, say: Callable[[str], None]) -> int:
    """Boot system.img of the output directory. Returns QEMU's exit status. Raises UserError."""
    if (asked.layout.out / VERIFIED).exists() and not asked.config.dm_verity:
        raise UserError(
            f"the disk in {asked.layout.out} is verified, and "
            f"{asked.config.path.name} has no [dm_verity]: name the configuration "
            "that it was built from, by -f"
        )
    with _folder(asked.layout) as folder:
        disk = _copy(_result(asked, "system.img", "vm-img"), folder)
        machine = VirtualMachine(
            Drive(disk),
            folder,
            _firmware(asked, disk, folder),
            UserNetwork(asked.ssh_port),
            architecture=asked.architecture,
            memory_mib=asked.memory_mib,
        )
        return _run(machine, asked.ssh_port, say)


def _firmware(asked: Request, disk: Path, folder: Path) -> Firmware:
    """The firmware for a copy of system.img. If the image is not verified, the copy is changed to
    use the serial console."""
    if asked.config.dm_verity:
        boot = _result(asked, VERIFIED, "vm-img")
        return SecureBoot(_enrolled(boot, folder, asked.architecture))
    is_legacy = asked.config.is_legacy
    _use_serial_console(disk, folder, asked.architecture, is_legacy=is_legacy)
    return Bios() if is_legacy else Uefi()


def boot_installer(asked: Request, say: Callable[[str], None]) -> int:
    """Boot the results of pxe_img on a machine with an empty disk, which installs the system from a
    server on its own network and then starts it. Returns QEMU's exit status. Raises UserError."""
    pxe, layout = asked.config.pxe_config, asked.layout
    if pxe is None:
        raise UserError(f"{asked.config.path.name}: booting pxe-img needs a table [pxe_config]")
    adapter = ADAPTERS.get(pxe.disk)
    if adapter is None:
        message = f"booting knows {' and '.join(ADAPTERS)}, found {pxe.disk}"
        raise UserError(str(asked.config.problem(("pxe_config", "disk"), message)))
    for name in ("vmlinuz", "initramfs.img", "kubeos.tar"):
        _result(asked, name, "pxe-img")
    sizes = asked.config.disk_partition
    table = plan_table(sizes.root_mib, sizes.image_gib)
    command_line = consoles(asked.architecture.serial)
    with ExitStack() as held:
        folder = held.enter_context(_folder(layout))
        disk = folder / "disk.img"
        with disk.open("wb") as stream:
            stream.truncate(max(smallest_disk_mib(table) * MIB, SMALLEST_DISK_BYTES))
        port = held.enter_context(_served(asked, pxe))
        command = shlex.join((sys.executable, str(pipe.__file__), str(port)))
        machine = VirtualMachine(
            Drive(disk, adapter=adapter),
            folder,
            network=UserNetwork(asked.ssh_port, ((pxe.server_ip, command),), addresses(pxe)),
            kernel=Kernel(layout.out / "vmlinuz", layout.out / "initramfs.img", command_line),
            architecture=asked.architecture,
            memory_mib=asked.memory_mib,
        )
        return _run(machine, asked.ssh_port, say)


def addresses(pxe: PxeConfig) -> Addresses:
    """A user network with the addresses in the installer's configuration.

    Raises UserError if no network has these addresses.
    """
    prefix = pxe.netmask or BY_DHCP_PREFIX
    net = IPv4Network(f"{pxe.server_ip}/{prefix}", strict=False)
    taken = {
        IPv4Address(address) for address in (pxe.server_ip, pxe.route_ip, pxe.local_ip) if address
    }
    if pxe.server_ip == pxe.route_ip or not all(address in net for address in taken):
        raise UserError(
            f"pxe_config: booting needs server_ip and route_ip to be two addresses of "
            f"one network, found {pxe.server_ip} and {pxe.route_ip} in {net}"
        )
    free = (address for address in net.hosts() if address not in taken)
    try:
        dns, first = next(free), next(free)
    except StopIteration:
        raise UserError(
            f"pxe_config: the network {net} has no free address for the machine"
        ) from None
    return Addresses(str(net), pxe.route_ip, str(dns), str(first))


@contextmanager
def _served(asked: Request, pxe: PxeConfig) -> Iterator[int]:
    """Serve the results of pxe_img. Yields the port on this machine."""
    files = pxe_serve.files_of(asked.layout.out, pxe.rootfs_name, pxe.server_ip, asked.architecture)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pxe_serve.server(listener, pxe_serve.application(files), lambda _line: None) as running,
    ):
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield listener.getsockname()[1]
        running.shutdown()


def _run(machine: VirtualMachine, ssh_port: int | None, say: Callable[[str], None]) -> int:
    if ssh_port:
        say(f"ssh -p {ssh_port} root@127.0.0.1")
    say("Ctrl-A X ends it, Ctrl-A H lists other keys; its changes are discarded.")
    return run_on_terminal(machine)


@contextmanager
def _folder(layout: Layout) -> Iterator[Path]:
    """A folder for the machine's files. If the process is killed, `doit clean` deletes them."""
    folder = layout.partial(f"boot-{os.getpid()}")
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        remove.delete(folder)


def _result(asked: Request, name: str, image: str) -> Path:
    path = asked.layout.out / name
    if not path.exists():
        raise UserError(
            f"there is no {path}: build it first, by "
            f"kbimg create -f {asked.config.path.name} {image}"
        )
    return path


def _copy(disk: Path, folder: Path) -> Path:
    made = folder / "disk.img"
    _program("cp", "--sparse=always", "--reflink=auto", str(disk), str(made))
    return made


def _use_serial_console(
    disk: Path, folder: Path, architecture: Architecture, *, is_legacy: bool
) -> None:
    menu = menus.Menu(disk, is_legacy)
    menu.write(menus.with_console(menu.read(), architecture.serial), folder)


def _enrolled(boot: Path, folder: Path, architecture: Architecture) -> Path:
    """A variable store of the firmware with the image's certificates enrolled."""
    certificate, revoked, store = (
        folder / name for name in (DER, revoked_certificate(1), "enrolled.fd")
    )
    for path in (certificate, revoked):
        _program("mcopy", "-n", "-i", str(boot), f"::/EFI/{path.name}", str(path))
    _, empty = firmware(BOARDS[architecture.name], is_secure=True)
    old = tuple(word for name in ("PK", "KEK", "db", "dbx") for word in ("--delete", name))
    _program(
        sys.executable,
        "-m",
        "virt.firmware.vars",
        "--input",
        str(empty),
        "--output",
        str(store),
        *old,
        "--set-pk",
        OWNER,
        str(certificate),
        "--add-kek",
        OWNER,
        str(certificate),
        "--add-db",
        OWNER,
        str(certificate),
        "--add-dbx-cert",
        OWNER,
        str(revoked),
        "--sb",
        hint="Secure Boot needs virt-firmware: pip install 'kbimg[boot]'",
    )
    return store


def _program(*argv: str, hint: str = "") -> None:
    try:
        done = process.run(argv)
    except FileNotFoundError as error:
        raise UserError(f"there is no {error.filename} here") from error
    if done.returncode != 0:
        why = f"{Path(argv[0]).name}: {process.error_line(done)}"
        missing = hint and "No module named" in why
        raise UserError(hint if missing else why)
