"""The hash tree of a root file system, and the check of a verified image's programs."""

from __future__ import annotations

import subprocess

import pytest
from building import MIB
from rpms import make_rpm

from kbimg_tasks.build.runner import StageFailed


def veritysetup(image, hashes, root_hash: str) -> int:
    return subprocess.run(
        ["veritysetup", "verify", image, hashes, root_hash], check=False, capture_output=True
    ).returncode


def test_the_hash_tree_is_of_the_image(verified):
    image = verified.put("root_image", "update-root.img", bytes(range(256)) * 4096 * 8)
    made = verified.make("hash_tree")
    root_hash = made["root-hash"].read_text().strip()
    hashes = made["update-hash.img"]
    assert veritysetup(image, hashes, root_hash) == 0
    assert hashes.stat().st_size < MIB
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    assert veritysetup(image, hashes, root_hash) != 0


def test_what_the_packages_lack_is_named(verified, tmp_path):
    package = make_rpm(tmp_path, "tools", files={"/usr/bin/sed": "", "/usr/sbin/veritysetup": ""})
    verified.put("packages", "packages.list", f"{package}\n")
    with pytest.raises(StageFailed) as failed:
        verified.make("verity_programs")
    text = str(failed.value)
    assert "there is no mokutil" in text
    assert "must have it in a package mokutil" in text
    assert "there is no sed" not in text
    assert "there is no veritysetup" not in text
