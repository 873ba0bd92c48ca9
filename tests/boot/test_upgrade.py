"""A node takes a new version into its other slot, runs it, and goes back: what os-agent does, by
hand, as docs/upgrading.md has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import web
from building import build, run_doit, write_config
from console import Node, with_console

from kbimg_tasks.vm import Machine

pytestmark = [pytest.mark.boot, pytest.mark.timeout(2400)]

PACKAGES = ("NetworkManager", "containerd", "curl", "e2fsprogs", "kernel", "openssh-server",
            "passwd", "tar")  # fmt: skip
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
NAME = "kubeos-upgrade:v2"
FULL_NAME = f"docker.io/library/{NAME}"
LONG = 900


def image(folder: Path, version: str, *packages: str) -> Path:
    """An image and its upgrade image: a version of a file in /etc, and of what /var begins with."""
    folder.mkdir()
    path = write_config(folder, (*PACKAGES, *packages), MORE.format(root=ROOT_MIB), version)
    path.write_text(path.read_text().replace(
        "version =", f'upgrade_img = "kubeos-upgrade:{version}"\nversion ='))
    (folder / "version.conf").write_text(f"of {version}\n")
    (folder / "state.sh").write_text(
        "#!/bin/sh\nset -e\nmkdir -p /var/lib/kbimg-test\n"
        f"echo of {version} > /var/lib/kbimg-test/in-both\n"
        f"echo of {version} > /var/lib/kbimg-test/only-in-{version}\n"
        f"echo of {version} > /etc/kbimg-test/changed-by-the-node\n")
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
    """2 or 3, as os-agent reads it off the device that is mounted on /."""
    return node.run("findmnt --noheadings --output SOURCE /")[-1]


def is_well(node: Node) -> None:
    state, _ = node.result("systemctl is-system-running --wait", LONG)
    assert state == "running", node.run("systemctl --failed --no-legend")


def identity(node: Node) -> str:
    return node.run("cat /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub")


def fetch(node: Node, port: int) -> None:
    """os.tar out of the upgrade image, by the node's containerd; its sum from the server."""
    node.run("systemctl start containerd", 300)
    node.run("mkdir -p /persist/upgrade/image && cd /persist/upgrade")
    for name in ("upgrade_img.tar", "kubeos.tar.sha256"):
        node.run(f"curl --fail --silent --show-error --remote-name http://10.0.2.2:{port}/{name}",
                 LONG)
    node.run("ctr -n k8s.io images import upgrade_img.tar && rm upgrade_img.tar", LONG)
    node.run(f"ctr -n k8s.io images mount {FULL_NAME} image", LONG)
    node.run("sed 's,kubeos.tar,image/os.tar,' kubeos.tar.sha256 | sha256sum --check", LONG)


def fill_slot_b(node: Node) -> None:
    """As os-agent does: an image of the partition's size, filled, then written."""
    disk = node.run("findmnt --noheadings --output SOURCE /")[:-1]
    node.run("mkdir -p /run/rootfs && cd /persist/upgrade")
    node.run(f"truncate --size={ROOT_MIB}M update.img && mkfs.ext4 -q -L ROOT-B update.img", LONG)
    node.run("mount -o loop update.img /run/rootfs")
    node.run("tar --extract --file image/os.tar --directory /run/rootfs --numeric-owner "
             "--xattrs --xattrs-include='*' --acls", LONG)
    node.run("umount /run/rootfs", LONG)
    node.run(f"dd if=update.img of={disk}3 bs=8M conv=fsync status=none", LONG)
    node.run(f"ctr -n k8s.io images unmount image && ctr -n k8s.io images rm {FULL_NAME}", LONG)
    node.run("cd / && rm -r /persist/upgrade")


def next_boot(node: Node, saved: str) -> None:
    node.run(f"grub2-editenv /boot/efi/EFI/openEuler/grubenv set saved_entry={saved}")


def test_a_node_upgrades_and_goes_back(first: Path, second: Path, tmp_path: Path):
    served = tmp_path / "served"
    served.mkdir()
    for name in ("upgrade_img.tar", "kubeos.tar.sha256"):
        shutil.copy(second / name, served / name)
    server = web.Server(served)
    disk = with_console(first / "system.qcow2", tmp_path / "disk.img")
    with Node(Machine(disk, "raw", tmp_path, ends_at_reboot=True)) as node:
        node.login()
        is_well(node)
        assert (version(node), slot(node)) == ("v1", "2")
        before = identity(node)
        node.run("echo of the node > /etc/kbimg-test/changed-by-the-node")
        node.run("echo of the node > /etc/made-by-the-node")
        node.run("echo of the node > /var/lib/kbimg-test/in-both")
        fetch(node, server.port)
        fill_slot_b(node)
        next_boot(node, "B")

        node.reboot()
        is_well(node)
        assert (version(node), slot(node)) == ("v2", "3")
        assert node.run("cat /etc/kbimg-test/version.conf") == "of v2"
        for kept in ("/etc/kbimg-test/changed-by-the-node", "/etc/made-by-the-node",
                     "/var/lib/kbimg-test/in-both"):
            assert node.run(f"cat {kept}") == "of the node", kept
        assert node.run("cat /var/lib/kbimg-test/only-in-v1") == "of v1"
        assert node.run("cat /var/lib/kbimg-test/only-in-v2") == "of v2"
        assert node.run("stat --format=%U /var/lib/chrony") == "_chrony"
        assert identity(node) == before
        assert node.run("readlink /var/lib/rpm") == "/usr/share/factory/var/lib/rpm"
        node.run("echo of v2 > /var/lib/made-in-v2")
        next_boot(node, "A")

        node.reboot()
        is_well(node)
        assert (version(node), slot(node)) == ("v1", "2")
        assert node.run("cat /etc/kbimg-test/version.conf") == "of v1"
        assert node.run("cat /etc/kbimg-test/changed-by-the-node") == "of the node"
        assert node.run("cat /var/lib/made-in-v2") == "of v2"
        assert identity(node) == before
        node.off()
    server.stop()
