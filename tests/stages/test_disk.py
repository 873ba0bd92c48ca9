"""The stages of a disk with the real programs, on a tree of a few files."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from building import digest

from kbimg_tasks.build.runner import StageFailed, perform
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import plan_table
from kbimg_tasks.stages import archive, disk, filesystems
from kbimg_tasks.steps.args import Artifact, scratch
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.sandbox import Sandbox

pytestmark = pytest.mark.image

CLOCK = "1700000000"
TABLE = plan_table(256, 3)
IDS = Ids.of(TABLE)
LOW, HIGH = Artifact("low", "tree", is_tree=True), Artifact("high", "tree", is_tree=True)
TREE = Sandbox(root=scratch("root"), layers=(LOW, HIGH))
FILES = (
    "usr/bin/tool",
    "etc/conf",
    "boot/efi/EFI/openEuler/grub.cfg",
    "boot/efi/EFI/BOOT/b",
    "boot/efi/EFI/openEuler/x86_64-efi/a.mod",
    "boot/efi/EFI/openEuler/x86_64-efi/b.mod",
    "usr/share/z",
    "usr/share/a",
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "out", tmp_path / "cache")


def publish(layout: Layout, files: tuple) -> None:
    """Two layers as stages leave them, the files written in the given order."""
    (layout.out).mkdir(exist_ok=True)
    for artifact, names in ((LOW, files[::2]), (HIGH, files[1::2])):
        top = layout.published(artifact)
        top.mkdir(parents=True)
        for name in names:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(name * 1000)
            os.chown(top / name, 12, 34)
        for folder, _, inside in os.walk(top, topdown=False):
            for name in (*inside, ""):
                os.utime(os.path.join(folder, name), (int(CLOCK), int(CLOCK)))


def make_all(layout: Layout) -> Path:
    """Everything that the disk is made of, and the disk."""
    esp = filesystems.esp(TREE, TABLE.by_label("BOOT"), IDS, CLOCK)
    slot_b = filesystems.root_b(TABLE.by_label("ROOT-B"), IDS, CLOCK)
    persist = filesystems.persist(TABLE.by_label("PERSIST"), ("a/b",), IDS, CLOCK)
    images = {
        "BOOT": esp["esp.img"],
        "ROOT-B": slot_b["root-b.img"],
        "PERSIST": persist["persist.img"],
    }
    img = disk.system_img(TABLE, images, IDS, CLOCK, TREE)
    tar = archive.kubeos_tar(TREE, 256, CLOCK)
    for stage in (esp, slot_b, persist, img, tar):
        perform(stage, layout)
    return layout.out / "system.img"


def test_the_same_bytes_at_another_time_in_another_place(layout, tmp_path):
    publish(layout, FILES)
    first = make_all(layout)
    time.sleep(1.1)
    other = Layout(tmp_path / "a much longer, other place", tmp_path / "cache")
    publish(other, FILES)
    for names in os.walk(other.out):  # what another host's access times would be
        os.utime(names[0], (time.time(), int(CLOCK)))
    second = make_all(other)
    for name in (
        "kubeos.tar",
        ".kbimg/stages/esp/esp.img",
        ".kbimg/stages/persist/persist.img",
        ".kbimg/stages/root_b/root-b.img",
        "system.img",
    ):
        assert digest(layout.out / name) == digest(other.out / name), name
    assert first != second


def test_file_systems_are_clean_and_filled(layout, tmp_path):
    publish(layout, FILES)
    image = make_all(layout)
    read = json.loads(
        subprocess.run(["sfdisk", "-J", image], check=True, text=True, capture_output=True).stdout
    )
    assert [entry["name"] for entry in read["partitiontable"]["partitions"]] == [
        "BOOT",
        "ROOT-A",
        "ROOT-B",
        "PERSIST",
    ]
    slot = f"{image}?offset={60 << 20}"
    subprocess.run(["e2fsck", "-fn", slot], check=True, stdout=subprocess.DEVNULL)
    listing = subprocess.run(
        ["debugfs", "-R", "stat /usr/bin/tool", slot], check=True, text=True, capture_output=True
    ).stdout
    assert "User:    12   Group:    34" in listing
    assert listing.count(hex(int(CLOCK))) == 4, listing  # all four times
    esp = layout.stage("esp") / "esp.img"
    subprocess.run(["fsck.fat", "-n", esp], check=True, stdout=subprocess.DEVNULL)
    names = subprocess.run(
        ["mdir", "-/", "-b", "-i", esp], check=True, text=True, capture_output=True
    ).stdout.split()
    assert "::/EFI/openEuler/x86_64-efi/a.mod" in names


def test_what_is_below_an_ext4_name_with_odd_characters(layout):
    publish(layout, ("etc/a b", "etc/ü%#?", "etc/[x]", "etc/'q'"))
    make_all(layout)
    tar = subprocess.run(
        ["tar", "-tf", layout.out / "kubeos.tar", "--quoting-style=literal"],
        check=True,
        text=True,
        capture_output=True,
    ).stdout.splitlines()
    assert {"./etc/a b", "./etc/ü%#?", "./etc/[x]", "./etc/'q'"} <= set(tar)


def test_nothing_is_published_when_a_step_fails(layout):
    publish(layout, FILES)
    (layout.published(HIGH) / "large").write_bytes(os.urandom(300 << 20))
    with pytest.raises(StageFailed, match="a root partition of 256 MiB holds"):
        make_all(layout)
    assert not (layout.out / "system.img").exists()
    assert not layout.stamp("system_img").exists()
