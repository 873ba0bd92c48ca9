"""All of docs/pxe.md: unconfigured firmware, `doit pxe_serve`, dnsmasq with the printed
configuration, an independent DHCP server, and in the end a node that responds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from building import PXE_PACKAGES, TOP, run_doit, write_config
from console import BOOT_SECONDS, Node
from test_pxe import GIB, INSTALL_SECONDS, SIZES

from kbimg_tasks.commands.boot.hardware import Drive, Tap
from kbimg_tasks.commands.boot.vm import VirtualMachine

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]

# Names of network namespaces are global on the machine.
SITE, OTHERS = f"kbimg-{os.getpid()}-site", f"kbimg-{os.getpid()}-dhcp"
ADDRESS, ROUTER = "10.9.0.50", "10.9.0.1"
PXE = (
    f'[pxe_config]\nserver_ip = "{ADDRESS}"\nrootfs_name = "kubeos.tar"\ndisk = "/dev/vda"\n'
    f'route_ip = "{ROUTER}"\ndhcp = true\n'
)
# The machine's cable, a bridge as the switch, and the site's DHCP server.
NETWORK = f"""\
netns add {SITE}
netns add {OTHERS}
-n {SITE} link add switch type bridge
-n {SITE} tuntap add dev cable mode tap
-n {SITE} link set cable master switch up
-n {SITE} link add others type veth peer name eth0 netns {OTHERS}
-n {SITE} link set others master switch up
-n {SITE} address add {ADDRESS}/24 dev switch
-n {SITE} link set switch up
-n {SITE} link set lo up
-n {OTHERS} address add {ROUTER}/24 dev eth0
-n {OTHERS} link set eth0 up
"""


@pytest.fixture
def site() -> Iterator[None]:
    def remove() -> None:
        for name in (SITE, OTHERS):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    try:
        for line in NETWORK.splitlines():
            subprocess.run(["ip", *line.split()], check=True)
        dhcp = start(
            OTHERS,
            "dnsmasq",
            "--no-daemon",
            "--conf-file=/dev/null",
            "--port=0",
            "--dhcp-range=10.9.0.100,10.9.0.150,255.255.255.0",
            "--leasefile-ro",
        )
        yield
        dhcp.kill()
    finally:
        remove()


def start(namespace: str, *argv: object, cwd: Path = TOP) -> subprocess.Popen:
    return subprocess.Popen(
        ["ip", "netns", "exec", namespace, *map(str, argv)],
        cwd=cwd,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=hears_interrupts,
    )


def hears_interrupts() -> None:
    """These tests can themselves run with signals ignored, for example under nohup."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a configuration whose installer and root file system are built."""
    folder = tmp_path_factory.mktemp("built")
    write_config(folder, PXE_PACKAGES, SIZES + PXE)
    done = run_doit(folder, "pxe_img")
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def serving(built: Path, site) -> Iterator[str]:
    """The output of `doit pxe_serve`, which runs until the end of the test."""
    process = start(
        SITE, sys.executable, "-m", "doit", "-f", TOP / "dodo.py", "pxe_serve", cwd=built
    )
    printed: list[str] = []
    for line in process.stdout:
        printed.append(line)
        if "Press Ctrl-C to stop" in line:
            break
    yield "".join(printed)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert "'GET /initramfs.img HTTP/1.1' 200" in said
    assert "interrupted; finished stages are kept" in said
    assert "Traceback" not in said


@contextmanager
def tftp(configuration: str, folder: Path) -> Iterator[None]:
    (folder / "dnsmasq.conf").write_text(configuration)
    process = start(
        SITE,
        "dnsmasq",
        f"--conf-file={folder / 'dnsmasq.conf'}",
        "--no-daemon",
        "--leasefile-ro",
        "--interface=switch",
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def machine(folder: Path) -> Node:
    disk = folder / "disk.img"
    with disk.open("wb") as stream:
        stream.truncate(8 * GIB)
    return Node(VirtualMachine(Drive(disk), folder, network=Tap("cable", SITE), memory_mib=1024))


def test_a_bare_machine_becomes_a_node_that_answers(serving, tmp_path: Path):
    begin, end = serving.index("# dnsmasq --conf-file"), serving.index("      Press Ctrl-C")
    with tftp(serving[begin:end], tmp_path), machine(tmp_path) as node:
        node.expect("iPXE initialising devices", INSTALL_SECONDS)
        node.expect(f"http://{ADDRESS}/boot.ipxe", INSTALL_SECONDS)
        node.expect(f"kubeos-install: asking for http://{ADDRESS}/kubeos.tar", INSTALL_SECONDS)
        node.expect("kubeos-install: installed; starting the system", INSTALL_SECONDS)
        node.login()
        address = node.run("hostname -I").split()[0]
        assert address.startswith("10.9.0.1")
        assert greeting(address).startswith("SSH-2.0-")


def test_grub_shows_its_menu_and_starts_the_installer(serving, built: Path, tmp_path: Path):
    """A site that boots GRUB lets it load (http,ADDRESS)/grub.cfg, here by its prefix."""
    (tmp_path / "tftp").mkdir()
    with (tmp_path / "tftp/grub.efi").open("wb") as image:
        subprocess.run(
            [
                "chroot",
                built / "scripts-auto/.kbimg/stages/rootfs/rootfs",
                "grub2-mkimage",
                "--format=x86_64-efi",
                f"--prefix=(http,{ADDRESS})",
                "normal",
                "linux",
                "http",
                "efinet",
                "echo",
            ],
            stdout=image,
            check=True,
        )
    configuration = (
        f"port=0\ndhcp-range={ADDRESS},proxy\nenable-tftp\n"
        f"tftp-root={tmp_path / 'tftp'}\n"
        'pxe-service=x86-64_EFI,"GRUB",grub.efi\n'
    )
    with tftp(configuration, tmp_path), machine(tmp_path) as node:
        node.expect("Install KubeOS", INSTALL_SECONDS)
        node.expect("kubeos-install: looking for the disk /dev/vda", INSTALL_SECONDS)


def greeting(address: str) -> str:
    """The greeting of the node's ssh server, as the site sees it."""
    program = (
        "import socket, sys\nline = socket.create_connection((sys.argv[1], 22), 10)\n"
        "print(line.recv(100).decode())"
    )
    until = time.monotonic() + BOOT_SECONDS
    while True:
        done = subprocess.run(
            ["ip", "netns", "exec", SITE, sys.executable, "-c", program, address],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode == 0 or time.monotonic() > until:
            assert done.returncode == 0, done.stderr
            return done.stdout
        time.sleep(2)
