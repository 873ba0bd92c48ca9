"""Nodes that several tests talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import secure_boot
from console import Node, with_console

from kbimg_tasks.commands.boot.vm import Machine
from kbimg_tasks.machine.architecture import AARCH64


def plain_machine(image: Path, folder: Path) -> Machine:
    """A virtual machine of an image, whose kernels are made to speak on the serial line."""
    disk = with_console(image / "system.qcow2", folder / "disk.img")
    return Machine(disk, "raw", folder, ends_at_reboot=True)


def verified_machine(image: Path, folder: Path) -> Machine:
    """One with Secure Boot, of a verified image, of which nothing can be changed."""
    return secure_boot.machine(image, folder, secure_boot.copy(image, folder))


def legacy_machine(image: Path, folder: Path) -> Machine:
    """One with a BIOS."""
    disk = with_console(image / "system.qcow2", folder / "disk.img", is_legacy=True)
    return Machine(disk, "raw", folder, ends_at_reboot=True, is_legacy=True)


def arm_machine(image: Path, folder: Path) -> Machine:
    """One of another architecture than most that build."""
    disk = with_console(image / "system.qcow2", folder / "disk.img", AARCH64.serial)
    return Machine(disk, "raw", folder, ends_at_reboot=True, architecture=AARCH64)


MACHINES = {
    "custom_image": plain_machine,
    "verified_image": verified_machine,
    "legacy_image": legacy_machine,
    "arm_image": arm_machine,
}


@pytest.fixture(scope="module", params=list(MACHINES))
def image(request: pytest.FixtureRequest) -> str:
    """The kinds of image of which the same is expected."""
    return request.param


@pytest.fixture(scope="module")
def new_machine(image: str, request: pytest.FixtureRequest):
    """What makes a machine of the customised image in a folder."""
    out = request.getfixturevalue(image)
    return lambda folder: MACHINES[image](out, folder)


@pytest.fixture(scope="module")
def node(new_machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node of the customised image, logged in as root."""
    with Node(new_machine(tmp_path_factory.mktemp("node"))) as running:
        yield running.login()
