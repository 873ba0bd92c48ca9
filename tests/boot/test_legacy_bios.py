"""A machine with a BIOS takes a new version into slot B, runs it, and goes back, by the programs
that os-agent runs there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import web
from console import BOOT_SECONDS, Node

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]
LONG = 900


def assert_runs(node: Node, slot: str) -> None:
    state, _ = node.result("systemctl is-system-running --wait", BOOT_SECONDS)
    assert state == "running", node.run("systemctl --failed --no-legend")
    assert node.run("findmnt --noheadings --output SOURCE /") == f"/dev/vda{slot}"


@pytest.mark.parametrize("goes_back", [False, pytest.param(True, marks=pytest.mark.long)])
def test_to_slot_b_and_back(
    legacy_image: Path, resume: Callable[[str, Path], Node], tmp_path: Path, goes_back: bool
):
    server = web.Server(legacy_image)
    with resume("legacy_image", tmp_path) as node:
        assert_runs(node, "2")
        assert node.run("ls /sys/firmware/efi 2>/dev/null || echo none") == "none"
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
        assert_runs(node, "3")
        assert node.run("cat /etc/slot") == "of slot B"
        assert node.run("cat /etc/machine-id") == identity
        assert node.run("cat /proc/cmdline").split("root=PARTUUID=")[1].split()[0].endswith("-03")
        if goes_back:
            node.run("grub2-set-default A")
            node.reboot()
            assert_runs(node, "2")
            assert node.result("cat /etc/slot")[1] != 0
    server.stop()
