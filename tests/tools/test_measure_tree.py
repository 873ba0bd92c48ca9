"""The estimate, compared with mke2fs itself: an accepted tree must fit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kbimg_tasks.host.installation import DATA
from kbimg_tasks.tools.measure_tree import BLOCK_BYTES, capacity, need


def make(tree: Path, image: Path, mib: int) -> bool:
    """Whether mke2fs gets the tree into so many MiB."""
    image.unlink(missing_ok=True)
    done = subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", tree, image, f"{mib}M"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MKE2FS_CONFIG": str(DATA / "mke2fs.conf")},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.image
@pytest.mark.parametrize("mib", [256, 600])
def test_what_is_let_through_fits_and_little_is_refused(tmp_path, mib):
    tree = tmp_path / "tree"
    tree.mkdir()
    blocks, _ = capacity(mib)
    for number in range(200):
        (tree / f"small-{number}").write_bytes(b"x" * 100)
    used, _ = need(tree)
    with open(tree / "large", "wb") as stream:  # not zeros: mke2fs would leave a hole
        left = (blocks - used - 8) * BLOCK_BYTES
        chunk = b"x" * (1 << 20)
        while left > 0:
            stream.write(chunk[:left])
            left -= len(chunk)
    assert need(tree)[0] <= blocks
    assert make(tree, tmp_path / "image", mib)
    with open(tree / "large", "ab") as stream:
        stream.write(b"x" * ((mib << 20) // 50))
    assert need(tree)[0] > blocks
    assert not make(tree, tmp_path / "image", mib), "the estimate is more than 2 % too strict"


def test_a_tree_that_is_too_large_is_refused_with_both_sizes(tool, tmp_path):
    (tmp_path / "large").write_bytes(b"x" * (300 << 20))
    done = tool("measure_tree", tmp_path, "--root-mib", "256")
    assert done.returncode == 1
    assert "needs 301 MiB" in done.stderr
    assert "a root partition of 256 MiB holds 2" in done.stderr
    assert "set disk_partition.root to" in done.stderr


def test_hard_links_count_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * (1 << 20))
    os.link(tmp_path / "a", tmp_path / "b")
    assert need(tmp_path) == (256 + 1, 1)
