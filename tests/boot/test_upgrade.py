"""A node writes a new version to its other slot, boots it, and goes back: the commands of os-agent,
typed from docs/upgrading.md."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import web
from building import TOP, build, run_doit, write_config
from console import PROCESSORS, Node, with_console
from pages import Block, blocks

from kbimg_tasks.commands.boot.hardware import Drive
from kbimg_tasks.commands.boot.vm import VirtualMachine

pytestmark = [pytest.mark.boot, pytest.mark.timeout(2400)]

PACKAGES = (
    "NetworkManager",
    "containerd",
    "curl",
    "e2fsprogs",
    "kernel",
    "openssh-server",
    "passwd",
    "tar",
)
ROOT_MIB = 1200
MORE = """
[[copy_files]]
src = "version.conf"
dst = "/etc/kbimg-test"
create_dir = "/etc/kbimg-test"

[chroot_script]
path = "state.sh"
rm = true

[disk_partition]
root = {root}
img_size = 8
"""
LONG = 900
TYPED = [block for block in blocks(TOP / "docs/upgrading.md") if block.is_of_the_node]
SLOT, FETCHING, FILLING, CHANGING, BACK = TYPED


def image(folder: Path, version: str, *packages: str) -> Path:
    """An image and its upgrade image, with a version of a file in /etc and of the initial /var."""
    folder.mkdir()
    path = write_config(folder, (*PACKAGES, *packages), MORE.format(root=ROOT_MIB), version)
    path.write_text(
        path.read_text().replace(
            "version =", f'upgrade_img = "kubeos-upgrade:{version}"\nversion ='
        )
    )
    (folder / "version.conf").write_text(f"of {version}\n")
    (folder / "state.sh").write_text(
        "#!/bin/sh\nset -e\nmkdir -p /var/lib/kbimg-test\n"
        f"echo of {version} > /var/lib/kbimg-test/in-both\n"
        f"echo of {version} > /var/lib/kbimg-test/only-in-{version}\n"
        f"echo of {version} > /etc/kbimg-test/changed-by-the-node\n"
    )
    out = build(folder)
    done = run_doit(folder, "upgrade_img", "engine=none")
    assert done.returncode == 0, done.stdout
    return out


@pytest.fixture(scope="module")
def first(repository: Path, tmp_path_factory) -> Path:
    return image(tmp_path_factory.mktemp("first") / "v1", "v1")


@pytest.fixture(scope="module")
def second(repository: Path, tmp_path_factory) -> Path:
    return image(tmp_path_factory.mktemp("second") / "v2", "v2", "chrony")


def version(node: Node) -> str:
    return node.run(". /etc/os-release; echo $VERSION_ID")


def slot(node: Node) -> str:
    """2 or 3, which os-agent reads from the device mounted on /."""
    return node.run(SLOT.commands[0].text)[-1]


def is_well(node: Node) -> None:
    assert node.state(LONG) == ("running", "")


def identity(node: Node) -> str:
    return node.run("cat /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub")


def follow(node: Node, block: Block, **known: object) -> None:
    """Type a block of the page with the reader's own values; the caller restarts the node."""
    for command in block.commands:
        text = command.text
        for name, value in known.items():
            text = text.replace(name, str(value))
        if text != "systemctl reboot":
            node.run(text, LONG)


def test_a_node_upgrades_and_goes_back(first: Path, second: Path, tmp_path: Path):
    served = tmp_path / "served"
    served.mkdir()
    for name in ("upgrade_img.tar", "kubeos.tar.sha256"):
        shutil.copy(second / name, served / name)
    server = web.Server(served)
    disk = with_console(first / "system.qcow2", tmp_path / "disk.img")
    with Node(
        VirtualMachine(Drive(disk), tmp_path, processors=PROCESSORS, ends_at_reboot=True)
    ) as node:
        node.login()
        is_well(node)
        assert (version(node), slot(node)) == ("v1", "2")
        before = identity(node)
        node.run("echo of the node > /etc/kbimg-test/changed-by-the-node")
        node.run("echo of the node > /etc/made-by-the-node")
        node.run("echo of the node > /var/lib/kbimg-test/in-both")
        node.run("mkdir -p /opt/cni/bin; echo of the node > /opt/cni/bin/kept")
        node.run("systemctl start containerd", 300)
        assert FILLING.text.count("2560M") == 1
        follow(node, FETCHING, SERVER=f"10.0.2.2:{server.port}")
        follow(node, FILLING, **{"2560M": f"{ROOT_MIB}M"})
        follow(node, CHANGING)

        node.reboot()
        is_well(node)
        assert (version(node), slot(node)) == ("v2", "3")
        assert node.run("cat /etc/kbimg-test/version.conf") == "of v2"
        for kept in (
            "/etc/kbimg-test/changed-by-the-node",
            "/etc/made-by-the-node",
            "/var/lib/kbimg-test/in-both",
            "/opt/cni/bin/kept",
        ):
            assert node.run(f"cat {kept}") == "of the node", kept
        assert node.run("cat /var/lib/kbimg-test/only-in-v1") == "of v1"
        assert node.run("cat /var/lib/kbimg-test/only-in-v2") == "of v2"
        assert node.run("stat --format=%U /var/lib/chrony") == "_chrony"
        assert identity(node) == before
        assert "FAILED" not in node.machine.log.read_text(errors="replace")
        assert int(node.run("journalctl --quiet --list-boots | grep -c -- '-1 '")) == 1
        assert node.run("readlink /var/lib/rpm") == "/usr/share/factory/var/lib/rpm"
        node.run("echo of v2 > /var/lib/made-in-v2")
        follow(node, BACK)

        node.reboot()
        is_well(node)
        assert (version(node), slot(node)) == ("v1", "2")
        assert node.run("cat /etc/kbimg-test/version.conf") == "of v1"
        assert node.run("cat /etc/kbimg-test/changed-by-the-node") == "of the node"
        assert node.run("cat /var/lib/made-in-v2") == "of v2"
        assert identity(node) == before
    server.stop()
