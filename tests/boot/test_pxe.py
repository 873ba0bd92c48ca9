"""A bare machine installs itself over the network, starts the system, and boots again."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from attrs import frozen
from building import PXE_PACKAGES, run_doit, write_config
from console import BOOT_SECONDS, PROCESSORS, Node, with_console

from kbimg_tasks.commands import pxe_serve
from kbimg_tasks.commands.boot import pipe
from kbimg_tasks.commands.boot.hardware import Drive, Kernel, UserNetwork
from kbimg_tasks.commands.boot.vm import VirtualMachine
from kbimg_tasks.machine.architecture import AARCH64, X86_64
from kbimg_tasks.tools.sparse_copy import extents

pytestmark = [pytest.mark.boot, pytest.mark.timeout(2400)]

SERVER = "10.0.2.100"
GIB = 1 << 30
SIZES = '[disk_partition]\nroot = 1200\nimg_size = 8\n[persist_mkdir]\nname = ["data", "deep/er"]\n'
PXE = f'[pxe_config]\nrootfs_name = "kubeos.tar"\nserver_ip = "{SERVER}"\nroute_ip = "10.0.2.2"\n'
BY_DHCP = PXE + 'disk = "/dev/vda"\ndhcp = true\n'
NVME = "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_kbimg"
BY_HAND = PXE + (
    f'disk = "{NVME}"\nlocal_ip = "10.0.2.77"\nnetmask = "255.255.255.0"\nnet_name = "none0"\n'
)
INSTALL_SECONDS = 600
GRUB_CFG = "boot/efi/EFI/openEuler/grub.cfg"
# Not enough memory for the tar beside the initramfs and the kernel.
MEMORY_MIB = 400


def images(folder: Path, *names: str) -> Path:
    """The images made; the output directory."""
    done = run_doit(folder, *names, "engine=none")
    assert done.returncode == 0, done.stdout
    return folder / "scripts-auto"


@pytest.fixture(scope="module")
def by_dhcp(repository: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dhcp")
    path = write_config(folder, PXE_PACKAGES, SIZES + BY_DHCP)
    path.write_text(path.read_text().replace("version =", 'upgrade_img = "u:v1"\nversion ='))
    return images(folder, "pxe_img", "upgrade_img")


@pytest.fixture(scope="module")
def by_hand(by_dhcp: Path, tmp_path_factory) -> Path:
    """From the upgrade image, for slots of another size than the tar was made for."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "kbimg.toml").write_text(
        f'[from_dockerimg]\narchive = "{by_dhcp / "upgrade_img.tar"}"\n'
        + SIZES.replace("root = 1200", "root = 1300")
        + BY_HAND
    )
    return images(folder, "pxe_img")


class Server:
    """Serves an installation on the loopback interface; requests are recorded and can be
    interrupted."""

    def __init__(self, out: Path, break_at: int = 0, **instead: Path) -> None:
        files = pxe_serve.files_of(out, "kubeos.tar", SERVER, X86_64)
        files.update({f"/{name.replace('_', '.')}": path for name, path in instead.items()})
        self.ranges: list = []
        answer, to_break = pxe_serve.application(files), [break_at] if break_at else []

        def watched(environ, start_response):
            if environ["REQUEST_METHOD"] == "GET":
                self.ranges.append((environ["PATH_INFO"], environ.get("HTTP_RANGE")))
            blocks = answer(environ, start_response)
            if environ["PATH_INFO"] == "/kubeos.tar" and environ["REQUEST_METHOD"] == "GET":
                return until(blocks, to_break.pop() if to_break else 1 << 60)
            return blocks

        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = pxe_serve.server(self._listener, watched, [].append)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def served(self) -> tuple:
        """QEMU's argument for it."""
        return ((SERVER, f"{sys.executable} {pipe.__file__} {self.port}"),)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._listener.close()


def until(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The blocks up to a number of bytes; then the connection is closed."""
    for block in blocks:
        if count < len(block):
            yield block[:count]
            raise ConnectionResetError(errno.ECONNRESET, "broken by the test")
        yield block
        count -= len(block)


def machine(
    out: Path,
    folder: Path,
    disk_bytes: int = 8 * GIB,
    words: str = "",
    serial: str = "ttyS0",
    memory_mib: int = MEMORY_MIB,
    adapter: str = "virtio-blk-pci",
    served: tuple[tuple[str, str], ...] = (),
    **more,
) -> VirtualMachine:
    """A machine with an empty disk that boots the installer."""
    disk = folder / "disk.img"
    with disk.open("wb") as stream:
        stream.truncate(disk_bytes)
    return VirtualMachine(
        Drive(disk, adapter=adapter),
        folder,
        network=UserNetwork(served=served),
        memory_mib=memory_mib,
        processors=PROCESSORS,
        ends_at_reboot=True,
        kernel=Kernel(
            out / "vmlinuz", out / "initramfs.img", f"console={serial},115200 {words}".strip()
        ),
        **more,
    )


def is_untouched(disk: Path) -> bool:
    with disk.open("rb") as stream:
        return list(extents(stream.fileno())) == []


def check_system(node: Node, disk: str, part: str) -> None:
    """The checks of every image: the system runs, and everything is mounted in its place."""
    assert node.state(BOOT_SECONDS) == ("running", "")
    source, options = node.run("findmnt --noheadings --output SOURCE,OPTIONS /").split()
    assert source == f"{disk}{part}2"
    assert options.split(",")[0] == "ro"
    for number, label, place in (("1", "BOOT", "/boot/efi"), ("4", "PERSIST", "/persist")):
        assert node.run(f"findmnt --noheadings --output SOURCE {place}") == f"{disk}{part}{number}"
        assert node.run(f"blkid -s LABEL -o value {disk}{part}{number}") == label
    assert node.run("test -d /persist/data && test -d /persist/deep/er && echo yes") == "yes"
    assert "installed; starting the system" in node.run("cat /persist/install.log")
    assert len(node.run("cat /etc/machine-id")) == 32


@frozen
class Installed:
    """A machine that installed itself: its disk, and the output directory of the installed
    image."""

    disk: Path
    out: Path
    name: str
    part: str
    adapter: str


# The folder of what is installed, the messages of its installer, and how the disk is called then.
WAYS = {
    "by_hand": (
        (
            "WARNING: there is no interface none0: using the first one with a link",
            "kubeos-install: setting 10.0.2.77 on ",
        ),
        ("/dev/nvme0n1", "p", "nvme"),
    ),
    "by_dhcp": ((), ("/dev/vda", "", "virtio-blk-pci")),
}


@pytest.fixture(scope="module", params=["by_hand", pytest.param("by_dhcp", marks=pytest.mark.long)])
def installed(request: pytest.FixtureRequest, tmp_path_factory) -> Installed:
    """A machine that installed itself, with a download that stopped once."""
    out = request.getfixturevalue(request.param)
    messages, (name, part, adapter) = WAYS[request.param]
    folder = tmp_path_factory.mktemp("installed")
    server = Server(out, break_at=50 << 20)
    with Node(machine(out, folder, adapter=adapter, served=server.served)) as node:
        for message in (
            *messages,
            "kubeos-install: the download stopped after 5. of ",
            "kubeos-install: installed; starting the system",
            # The first output of the system: the installer has written everything to the disk.
            "Welcome to",
        ):
            node.expect(message, INSTALL_SECONDS)
    starts = [asked for path, asked in server.ranges if path == "/kubeos.tar"]
    assert starts[0] is None and len(starts) == 2, server.ranges
    assert int(starts[1].removeprefix("bytes=").removesuffix("-")) >= 50 << 20
    server.stop()
    return Installed(folder / "disk.img", out, name, part, adapter)


class Entry(NamedTuple):
    """A path of a root file system; the content of a link is its target."""

    mode: int
    uid: int
    gid: int
    time: int
    content: str
    attributes: dict[str, bytes]


def table(disk: Path) -> dict:
    """Start and size in sectors, UUID and type of each partition, by name."""
    shown = json.loads(
        subprocess.run(["sfdisk", "--json", disk], check=True, capture_output=True).stdout
    )["partitiontable"]
    return {
        part["name"]: (part["start"], part["size"], part["uuid"], part["type"])
        for part in shown["partitions"]
    }


def test_the_disk_is_like_that_of_vm_img(installed: Installed, tmp_path: Path):
    def tree(disk: Path, name: str) -> dict:
        slot = table(disk)["ROOT-A"]
        part = tmp_path / f"{name}.img"
        subprocess.run(
            [
                "dd",
                f"if={disk}",
                f"of={part}",
                f"skip={slot[0] * 512}",
                f"count={slot[1] * 512}",
                "iflag=skip_bytes,count_bytes",
                "bs=4M",
                "status=none",
                "conv=sparse",
            ],
            check=True,
        )
        top = tmp_path / name
        top.mkdir()
        subprocess.run(["mount", "-o", "ro,loop,noload", part, top], check=True)
        try:
            found = {}
            for folder, folders, files in os.walk(top):
                for each in folders + files:
                    path = os.path.join(folder, each)
                    seen = os.lstat(path)
                    content = (
                        os.readlink(path)
                        if os.path.islink(path)
                        else hashlib.sha256(Path(path).read_bytes()).hexdigest()
                        if os.path.isfile(path)
                        else ""
                    )
                    found[os.path.relpath(path, top)] = Entry(
                        seen.st_mode,
                        seen.st_uid,
                        seen.st_gid,
                        int(seen.st_mtime),
                        content,
                        {
                            key: os.getxattr(path, key, follow_symlinks=False)
                            for key in os.listxattr(path, follow_symlinks=False)
                        },
                    )
            return found
        finally:
            subprocess.run(["umount", top], check=True)

    image = images(installed.out.parent, "vm_img") / "system.img"
    assert table(installed.disk) == table(image)
    one, other = tree(installed.disk, "one"), tree(image, "other")
    assert one.keys() == other.keys()
    # In a tar of slots of another size the installer edits grub.cfg, which then has a new time.
    edited = {GRUB_CFG, os.path.dirname(GRUB_CFG)} if installed.name != "/dev/vda" else set()
    assert {path for path in one if one[path] != other[path]} <= {"lost+found", *edited}
    for path in edited:
        assert one[path]._replace(time=0) == other[path]._replace(time=0)


def test_it_starts_from_its_disk(installed: Installed, tmp_path: Path):
    """Booted by its firmware and GRUB."""
    copy = with_console(installed.disk, tmp_path / "copy.img")
    made = VirtualMachine(
        Drive(copy, adapter=installed.adapter), tmp_path, processors=PROCESSORS, ends_at_reboot=True
    )
    with Node(made) as node:
        node.login()
        check_system(node, installed.name, installed.part)
        assert "BOOT_IMAGE=" in node.run("cat /proc/cmdline")
        if installed.adapter == "nvme":
            log = node.run("cat /persist/install.log")
            assert "writing this disk's slots to grub.cfg" in log
            assert int(node.run(f"blockdev --getsize64 {installed.name}p2")) == 1300 << 20


@pytest.mark.long
def test_aarch64(arm_repository: Path, tmp_path: Path):
    """Cross-built, installed and booted from its disk."""
    write_config(tmp_path, PXE_PACKAGES, SIZES + BY_DHCP)
    out = images(tmp_path, "pxe_img", "arch=aarch64")
    server = Server(out)
    made = machine(
        out,
        tmp_path,
        serial=AARCH64.serial,
        memory_mib=1024,
        served=server.served,
        architecture=AARCH64,
    )
    with Node(made) as node:
        node.expect("kubeos-install: installed; starting the system", INSTALL_SECONDS)
        node.login()
        assert node.run("uname --machine") == "aarch64"
        check_system(node, "/dev/vda", "")
        node.off()
    server.stop()
    copy = with_console(tmp_path / "disk.img", tmp_path / "copy.img", AARCH64.serial)
    again = tmp_path / "again"
    with Node(
        VirtualMachine(
            Drive(copy), again, processors=PROCESSORS, ends_at_reboot=True, architecture=AARCH64
        )
    ) as node:
        node.login()
        assert "BOOT_IMAGE=" in node.run("cat /proc/cmdline")


def fails(made: VirtualMachine, *messages: str) -> None:
    """The installer fails with these messages."""
    with Node(made) as node:
        for message in messages:
            node.expect(message, INSTALL_SECONDS)


WAIT = "kubeos.wait=4"
SHELL = "Press Enter for maintenance"


@pytest.mark.long
def test_no_such_disk(by_hand: Path, tmp_path: Path):
    fails(
        machine(by_hand, tmp_path, words=WAIT),
        f"FAILED: no disk {NVME} after 4 seconds; found: /dev/vda",
        "Compare pxe_config.disk with the machine",
        "Refusing to continue",
    )
    assert is_untouched(tmp_path / "disk.img")
    assert SHELL not in (tmp_path / "console.log").read_text()


def test_a_disk_that_is_too_small_and_a_shell_that_is_asked_for(by_dhcp: Path, tmp_path: Path):
    made = machine(by_dhcp, tmp_path, 7 * GIB, f"{WAIT} rd.shell")
    with Node(made) as node:
        node.expect("FAILED: the disk /dev/vda has 7168 MiB, and needs 7629 MiB", INSTALL_SECONDS)
        node.expect(SHELL)
        node.answer(b"", "# ")
        node.line.sendline(b"grep -c needs.7629 /run/kubeos-install.log; exit")
        node.expect("1\r\n")
        node.expect("Refusing to continue")
    assert is_untouched(tmp_path / "disk.img")


@pytest.mark.long
def test_no_link(by_dhcp: Path, tmp_path: Path):
    made = machine(by_dhcp, tmp_path, words=WAIT)
    with Node(made) as node, socket.socket(socket.AF_UNIX) as monitor:  # disconnects the cable
        while not (tmp_path / "monitor").exists():
            assert node.process.poll() is None
            time.sleep(0.05)
        monitor.connect(str(tmp_path / "monitor"))
        monitor.sendall(b"set_link net off\n")
        node.expect("FAILED: no interface has a link after 4 seconds", INSTALL_SECONDS)
    assert is_untouched(tmp_path / "disk.img")


@pytest.mark.long
def test_no_server(by_dhcp: Path, tmp_path: Path):
    fails(
        machine(by_dhcp, tmp_path, words=WAIT),
        f"FAILED: the server does not serve http://{SERVER}/kubeos.tar: ",
    )
    assert is_untouched(tmp_path / "disk.img")


def test_a_wrong_name(by_dhcp: Path, tmp_path: Path):
    server = Server(by_dhcp, kubeos_tar=None)  # type: ignore[arg-type]
    fails(
        machine(by_dhcp, tmp_path, words=WAIT, served=server.served),
        f"FAILED: the server does not serve http://{SERVER}/kubeos.tar: .*404",
    )
    server.stop()
    assert is_untouched(tmp_path / "disk.img")


@pytest.mark.parametrize(
    ("content", "has_sum", "message"),
    [
        (
            b"other " * 100_000,
            False,
            "kubeos.tar has the SHA-256 checksum [0-9a-f]{64}, and .* has ",
        ),
        pytest.param(
            b"other " * 100_000, True, "kubeos.tar cannot be unpacked: ", marks=pytest.mark.long
        ),
    ],
    ids=["of another sum", "of the right sum"],
)
def test_a_file_that_is_damaged(by_dhcp: Path, tmp_path: Path, content, has_sum, message):
    (tmp_path / "damaged").write_bytes(content)
    (tmp_path / "sum").write_text(f"{hashlib.sha256(content).hexdigest()}  kubeos.tar\n")
    instead = {"kubeos_tar_sha256": tmp_path / "sum"} if has_sum else {}
    server = Server(by_dhcp, kubeos_tar=tmp_path / "damaged", **instead)
    fails(
        machine(by_dhcp, tmp_path, words=WAIT, served=server.served),
        f"FAILED: .*{message}",
        "Refusing to continue",
    )
    server.stop()
    with (tmp_path / "disk.img").open("rb") as stream:
        stream.seek(1 << 20)
        assert b"FAT" not in stream.read(1 << 16)  # nothing that the firmware can boot
    persist = table(tmp_path / "disk.img")["PERSIST"]
    log = subprocess.run(
        ["debugfs", "-R", "cat /install.log", f"{tmp_path / 'disk.img'}?offset={persist[0] * 512}"],
        check=True,
        text=True,
        capture_output=True,
    ).stdout
    assert re.search(f"FAILED: .*{message}", log)  # an operator can also read it afterwards
