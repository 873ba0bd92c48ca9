"""The arithmetic of the partition table, and how sfdisk reads it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbimg_tasks.host.installation import DATA
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import (
    SMALLEST_DISK_BYTES,
    LayoutError,
    drawn,
    hash_mib,
    plan_table,
    sfdisk_script,
)

UEFI = [("BOOT", 1, 59), ("ROOT-A", 60, 2560), ("ROOT-B", 2620, 2560), ("PERSIST", 5180, 15299)]
LEGACY = [("GRUB2", 1, 59), ("ROOT-A", 60, 2560), ("ROOT-B", 2620, 2560), ("PERSIST", 5180, 15300)]
VERITY = [
    ("BOOT-A", 1, 59),
    ("ROOT-A", 60, 2560),
    ("HASH-A", 2620, 128),
    ("BOOT-B", 2748, 59),
    ("ROOT-B", 2807, 2560),
    ("HASH-B", 5367, 128),
    ("PERSIST", 5495, 14984),
]


@pytest.mark.parametrize(
    ("options", "wanted"), [({}, UEFI), ({"legacy": True}, LEGACY), ({"verity": True}, VERITY)]
)
def test_the_default_disk(options, wanted, tmp_path: Path):
    table = plan_table(2560, 20, **options)
    assert [(part.label, part.start_mib, part.size_mib) for part in table.partitions] == wanted
    ids = Ids.of(table)
    uuids = {part.label: ids.uuid(part.label) for part in table.partitions}
    image = tmp_path / "disk"
    with open(image, "wb") as stream:
        stream.truncate(table.image_mib << 20)
    if len(wanted) > 4 or not options.get("legacy"):
        assert table.scheme == "gpt"
    subprocess.run(
        ["sfdisk", "--quiet", image],
        check=True,
        text=True,
        input=sfdisk_script(table, ids.disk, uuids),
    )
    read = json.loads(
        subprocess.run(["sfdisk", "-J", image], check=True, text=True, capture_output=True).stdout
    )["partitiontable"]
    assert read["label"] == table.scheme
    assert read["id"].lower() == ids.disk
    assert [(entry["start"] // 2048, entry["size"] // 2048) for entry in read["partitions"]] == [
        (start, size) for _, start, size in wanted
    ]
    if table.scheme == "gpt":
        assert [entry["name"] for entry in read["partitions"]] == [row[0] for row in wanted]
        assert [entry["uuid"].lower() for entry in read["partitions"]] == list(uuids.values())
        assert ids.partuuid("ROOT-A") == uuids["ROOT-A"]
    else:
        assert read["partitions"][0]["bootable"]
        assert ids.partuuid("ROOT-A") == f"{read['id'][2:]}-02"
        assert ids.partuuid("ROOT-B") == f"{read['id'][2:]}-03"


def test_the_rest_must_be_enough():
    limit = (20480 - 60 - 1 - 2100) // 2
    assert plan_table(limit, 20).by_label("PERSIST").size_mib >= 2100
    with pytest.raises(LayoutError, match="it needs 2100 MiB"):
        plan_table(limit + 1, 20)


def test_hash_partitions():
    assert [hash_mib(size) for size in (2560, 3000, 3001)] == [128, 150, 151]


def test_identifiers_stay_with_the_layout():
    one, same, other = (Ids.of(plan_table(size, 20)) for size in (2560, 2560, 3000))
    assert one.uuid("ROOT-A") == same.uuid("ROOT-A") != one.uuid("ROOT-B")
    assert one.uuid("ROOT-A") != other.uuid("ROOT-A")
    assert len(one.crypt_salt("x")) == 16
    assert len(bytes.fromhex(one.salt("x", 64))) == 64


def test_the_last_mib_is_left_for_the_copy_of_gpt():
    for options in ({}, {"verity": True}):
        assert plan_table(2560, 20, **options).by_label("PERSIST").end_mib == 20 * 1024 - 1
    assert plan_table(2560, 20, legacy=True).by_label("PERSIST").end_mib == 20 * 1024


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        (
            (2560, 3000),
            {"legacy": True},
            "at most img_size = 2048 with legacy BIOS, found img_size = 3000",
        ),
        ((2560, 20), {"legacy": True, "verity": True}, "UEFI with dm-verity, found legacy BIOS"),
        (
            (2560, 7),
            {},
            "partitions that fit img_size = 7 GiB (7168 MiB): two slots of root = 2560 MiB "
            "and the other partitions take 5180 MiB, which leaves 1987 MiB for "
            "PERSIST; it needs 2100 MiB",
        ),
    ],
)
def test_layouts_that_cannot_be(sizes, options, message):
    with pytest.raises(LayoutError) as caught:
        plan_table(*sizes, **options)
    assert str(caught.value) == message


@given(st.integers(256, 1 << 16), st.integers(1, 4096), st.booleans(), st.booleans())
def test_partitions_follow_each_other_and_fill_the_disk(root_mib, image_gib, legacy, verity):
    try:
        table = plan_table(root_mib, image_gib, legacy=legacy, verity=verity)
    except LayoutError:
        return
    place = 1
    for number, part in enumerate(table.partitions, 1):
        assert (part.number, part.start_mib) == (number, place)
        assert part.size_mib > 0
        place = part.end_mib
    assert place in (table.image_mib, table.image_mib - 1)
    assert table.by_label("PERSIST").size_mib >= 2100
    assert table.by_label("ROOT-A").size_mib == table.by_label("ROOT-B").size_mib == root_mib


def test_drawn():
    assert (
        drawn(plan_table(2560, 20))
        == """\
gpt, 20480 MiB
1  BOOT     vfat         1 to       60        59 MiB  /boot/efi
2  ROOT-A   ext4        60 to     2620      2560 MiB  /
3  ROOT-B   ext4      2620 to     5180      2560 MiB
4  PERSIST  ext4      5180 to    20479     15299 MiB  /persist
"""
    )


def test_the_installer_takes_no_smaller_disk_than_the_smallest():
    script = DATA / "dracut/91kubeos-install/kubeos-install.sh"
    assert f"\nSMALLEST_BYTES={SMALLEST_DISK_BYTES}\n" in script.read_text(encoding="utf-8")
