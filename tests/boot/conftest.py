"""Nodes that several tests talk to."""

from __future__ import annotations

import pytest
from console import Node, with_console

from kbimg_tasks.vm import Machine


@pytest.fixture(scope="module")
def node(custom_image, tmp_path_factory):
    """A node of the customised image, logged in as root."""
    folder = tmp_path_factory.mktemp("node")
    disk = with_console(custom_image / "system.qcow2", folder / "disk.img")
    with Node(Machine(disk, "raw", folder, ends_at_reboot=True)) as running:
        yield running.login()
