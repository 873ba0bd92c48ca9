"""A machine with a BIOS boots a version in slot B and goes back, by the programs that os-agent
runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import web
from console import BOOT_SECONDS, Node
from secure_boot import run

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]
LONG = 900
SECTOR = 512


def assert_runs(node: Node, slot: str) -> None:
    assert node.state(BOOT_SECONDS) == ("running", "")
    assert node.run("findmnt --noheadings --output SOURCE /") == f"/dev/vda{slot}"


def assert_runs_slot_b(node: Node, identity: str) -> None:
    assert_runs(node, "3")
    assert node.run("cat /etc/slot") == "of slot B"
    assert node.run("cat /etc/machine-id") == identity
    assert node.run("cat /proc/cmdline").split("root=PARTUUID=")[1].split()[0].endswith("-03")


def copy_to_slot_b(disk: Path, folder: Path) -> None:
    """Slot B with the file system of slot A and one more file."""
    parts = json.loads(run("sfdisk", "--json", disk))["partitiontable"]["partitions"]
    first, second = (part["start"] * SECTOR for part in parts[1:3])
    run(
        *("dd", f"if={disk}", f"of={disk}", "bs=4M", "conv=notrunc", "status=none"),
        *("iflag=skip_bytes,count_bytes", "oflag=seek_bytes"),
        *(f"skip={first}", f"seek={second}", f"count={parts[1]['size'] * SECTOR}"),
    )
    (folder / "slot").write_text("of slot B\n")
    for request in ("set_super_value volume_name ROOT-B", f"write {folder / 'slot'} etc/slot"):
        run("debugfs", "-w", "-R", request, f"{disk}?offset={second}")


def test_to_slot_b(resume: Callable[[str, Path], Node], tmp_path: Path):
    with resume("legacy_image", tmp_path) as node:
        assert_runs(node, "2")
        assert node.run("ls /sys/firmware/efi 2>/dev/null || echo none") == "none"
        identity = node.run("cat /etc/machine-id")
        copy_to_slot_b(node.machine.drive.path, tmp_path)  # no process of the node uses slot B
        node.run("grub2-set-default B")
        node.reboot()
        assert_runs_slot_b(node, identity)


@pytest.mark.long
def test_to_a_version_that_it_fetches_and_back(
    legacy_image: Path, resume: Callable[[str, Path], Node], tmp_path: Path
):
    server = web.Server(legacy_image)
    with resume("legacy_image", tmp_path) as node:
        identity = node.run("cat /etc/machine-id")
        node.run(
            "mkfs.ext4 -q -F -L ROOT-B /dev/vda3 && mkdir /run/b && mount /dev/vda3 /run/b", LONG
        )
        node.run(
            f"curl --fail --silent http://10.0.2.2:{server.port}/kubeos.tar | tar --extract "
            "--directory /run/b --numeric-owner --xattrs --xattrs-include='*' --acls && "
            "echo of slot B > /run/b/etc/slot && umount /run/b",
            LONG,
        )
        node.run("grub2-set-default B")
        node.reboot()
        assert_runs_slot_b(node, identity)
        node.run("grub2-set-default A")
        node.reboot()
        assert_runs(node, "2")
        assert node.result("cat /etc/slot")[1] != 0
    server.stop()
