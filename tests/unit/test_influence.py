"""The stages that a change of an option makes again, and the rules behind it."""

from __future__ import annotations

from copy import deepcopy

import pytest

from docs.generator import influence
from docs.generator.option_samples import CHANGED, SAMPLE, STOPS

TREE = (
    "esp",
    "system_img",
    "system_qcow2",
    "system_qcow2_sha256",
    "kubeos_tar",
    "kubeos_tar_sha256",
    "build_tools",
)


def test_every_option_has_a_change():
    assert set(CHANGED) == set(influence.options())


def test_every_change_is_one():
    before = influence.read(SAMPLE)
    for option in influence.options():
        assert influence.read(influence.changed(SAMPLE, option)) != before, option


@pytest.mark.parametrize(
    ("option", "sure"),
    [
        ("from_repo.root_passwd", ("customised", *TREE)),
        ("users.passwd", ("customised", *TREE)),
        ("copy_files.src", ("customised", *TREE)),
        ("grub.passwd", ("grub", "customised", *TREE)),
        ("persist_mkdir.name", ("persist", "system_img", "system_qcow2", "system_qcow2_sha256")),
        ("from_repo.version", ("customised", *TREE[:-1], "sbom", TREE[-1])),
        ("from_repo.upgrade_img", ("upgrade_archive",)),
        ("pxe_config.disk", ("pxe_initramfs",)),
    ],
)
def test_what_a_change_makes(option, sure):
    assert influence.row(option) == influence.Influence(sure)


def test_another_upgrade_image():
    found = influence.row("from_dockerimg.archive")
    assert found.sure == (
        "kubeos_tar",
        "unpacked",
        "menu",
        "esp",
        "system_img",
        "system_qcow2",
        "system_qcow2_sha256",
        "kubeos_tar_sha256",
        "build_tools",
    )
    assert found.possible == ("root_b", "persist")  # of the clock alone


def test_behind_small_files_a_build_may_stop():
    found = influence.row("from_repo.rpmlist")
    assert found.sure == ("packages",)
    assert {"rootfs", "grub", "initramfs", "customised", "root_b", "persist", "sbom", *TREE} == set(
        found.possible
    )


def test_stops_are_among_those_that_may():
    for option, stops in STOPS.items():
        assert set(stops) <= set(influence.row(option).possible)


def test_order_in_rpmlist_changes_nothing():
    after = deepcopy(SAMPLE)
    after["from_repo"]["rpmlist"].reverse()
    found = influence.influence(influence.read(SAMPLE), influence.read(after))
    assert found == influence.Influence()
