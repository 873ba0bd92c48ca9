"""`kbimg boot`: a built image, booted on a terminal as by a user."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import digest, run_doit, write_config
from console import Node
from terminal import Terminal
from test_pxe import INSTALL_SECONDS, PXE_PACKAGES, SIZES

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]

PXE = (
    '[pxe_config]\nrootfs_name = "kubeos.tar"\nserver_ip = "192.168.122.50"\n'
    'route_ip = "192.168.122.1"\ndisk = "/dev/vda"\nlocal_ip = "192.168.122.100"\n'
    'netmask = "255.255.255.0"\nnet_name = "none0"\n'
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def other(resume: Callable[[str, Path], Node], tmp_path: Path) -> Iterator[Node]:
    """Another node of the same image."""
    with resume("custom_image", tmp_path / "other") as node:
        yield node


def test_a_disk_is_started_and_stays_as_it_is(custom_image: Path, other: Node):
    """Each boot is a separate node."""
    before = digest(custom_image / "system.img")
    port = free_port()
    terminal = Terminal(custom_image.parent, "--ssh-port", str(port))
    terminal.line.expect(f"ssh -p {port} root@127.0.0.1")
    terminal.login()
    assert terminal.run("systemctl is-system-running --wait") == "running"
    for command in ("cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub"):
        assert terminal.run(command) != other.run(command)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        assert line.recv(64).startswith(b"SSH-2.0-")
    terminal.run("echo of the node > /etc/changed")
    terminal.off()
    assert digest(custom_image / "system.img") == before
    assert list((custom_image / ".kbimg/partial").glob("boot-*")) == []


def test_the_kernel_of_a_verified_disk_is_started(verified_image: Path):
    """Only firmware, GRUB and kernel: the rest of the boot takes long."""
    terminal = Terminal(verified_image.parent, "vm-img")
    terminal.line.expect("Booting `A'")
    terminal.line.expect("Starting systemd-udevd")
    terminal.leave()


@pytest.mark.long
def test_a_verified_disk_is_started_under_secure_boot(verified_image: Path):
    terminal = Terminal(verified_image.parent, "vm-img")
    terminal.login()
    assert terminal.run("mokutil --sb-state") == "SecureBoot enabled"
    assert "verified" in terminal.run("veritysetup status kubeos-root | grep status")
    terminal.off()


@pytest.fixture
def installing(repository: Path, tmp_path: Path) -> Terminal:
    """An installer, booted with its server, downloads from it."""
    write_config(tmp_path, PXE_PACKAGES, SIZES + PXE)
    done = run_doit(tmp_path, "pxe_img")
    assert done.returncode == 0, done.stdout
    terminal = Terminal(tmp_path, "pxe-img")
    terminal.line.expect("kubeos-install: setting 192.168.122.100 on ")
    terminal.line.expect("kubeos-install: fetching ", timeout=INSTALL_SECONDS)
    return terminal


def test_an_installer_is_started_with_its_server(installing: Terminal):
    installing.leave()


@pytest.mark.long
def test_an_installer_goes_on_into_the_system(installing: Terminal):
    installing.line.expect(
        "kubeos-install: installed; starting the system", timeout=INSTALL_SECONDS
    )
    installing.login()
    assert installing.run("findmnt --noheadings --output SOURCE /") == "/dev/vda2"
    installing.off()
