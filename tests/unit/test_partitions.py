"""The layout's arithmetic, and sfdisk's own reading of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kbimg_tasks.ids import Ids
from kbimg_tasks.partitions import LayoutError, drawn, hash_mib, plan_table, sfdisk_script

UEFI = [("BOOT", 1, 59), ("ROOT-A", 60, 2560), ("ROOT-B", 2620, 2560), ("PERSIST", 5180, 15299)]
LEGACY = [("GRUB2", 1, 59), ("ROOT-A", 60, 2560), ("ROOT-B", 2620, 2560),
          ("PERSIST", 5180, 15300)]
VERITY = [("BOOT-A", 1, 59), ("ROOT-A", 60, 2560), ("HASH-A", 2620, 128), ("BOOT-B", 2748, 59),
          ("ROOT-B", 2807, 2560), ("HASH-B", 5367, 128), ("PERSIST", 5495, 14984)]


@pytest.mark.parametrize(("options", "wanted"), [
    ({}, UEFI), ({"legacy": True}, LEGACY), ({"verity": True}, VERITY)])
def test_the_default_disk(options, wanted, tmp_path: Path):
    table = plan_table(2560, 20, **options)
    assert [(part.label, part.start_mib, part.size_mib) for part in table.partitions] == wanted
    ids = Ids.of(table)
    disk_id = "0x1234abcd" if options.get("legacy") else ids.uuid("disk")
    uuids = {part.label: ids.uuid(part.label) for part in table.partitions}
    image = tmp_path / "disk"
    with open(image, "wb") as stream:
        stream.truncate(table.image_mib << 20)
    if len(wanted) > 4 or not options.get("legacy"):
        assert table.scheme == "gpt"
    subprocess.run(["sfdisk", "--quiet", image], check=True, text=True,
                   input=sfdisk_script(table, disk_id, uuids))
    read = json.loads(subprocess.run(["sfdisk", "-J", image], check=True, text=True,
                                     capture_output=True).stdout)["partitiontable"]
    assert read["label"] == table.scheme
    assert [(entry["start"] // 2048, entry["size"] // 2048) for entry in read["partitions"]] == [
        (start, size) for _, start, size in wanted]
    if table.scheme == "gpt":
        assert [entry["name"] for entry in read["partitions"]] == [row[0] for row in wanted]
        assert [entry["uuid"].lower() for entry in read["partitions"]] == list(uuids.values())
    else:
        assert read["partitions"][0]["bootable"]


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


def test_drawn():
    assert drawn(plan_table(2560, 20)).splitlines()[1] == (
        "2  ROOT-A   ext4       60 to    2620 MiB     2560 MiB")
