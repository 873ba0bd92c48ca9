"""The initramfs by a stand-in for dracut, which writes its arguments to its output file."""

from __future__ import annotations

import pytest
import tiny

IMAGE = "boot/initramfs.img"


@pytest.fixture
def made(bench, put_system):
    """The stages of a machine whose packages are installed."""
    one = bench()
    put_system(one)
    return one


def words(made) -> list[str]:
    """The arguments of dracut."""
    return (made.make("initramfs")["layer"] / IMAGE).read_text().split()


def test_dracut_makes_it_for_the_trees_kernel(made):
    asked = words(made)
    assert asked[-2:] == [f"/{IMAGE}", tiny.VERSION]
    assert {"--no-hostonly", "--reproducible"} <= set(asked)
    assert asked[asked.index("--add") + 1] == "kubeos"
    assert "--compress=gzip -1 -n" in " ".join(asked)
    assert "--omit" not in asked


def test_the_layer_has_our_modules_and_the_initramfs_alone(made):
    words(made)
    layer = made.path("initramfs", "layer")
    modules = layer / "usr/lib/dracut/modules.d"
    assert [path.name for path in modules.iterdir()] == ["90kubeos"]
    assert (modules / "90kubeos/machine-id.sh").is_file()
    assert {path.name for path in layer.iterdir()} == {"boot", "usr"}
    assert not (made.path("rootfs", "rootfs") / IMAGE).exists()


def test_the_initramfs_of_a_verified_root(verified, put_system):
    put_system(verified)
    asked = " ".join(words(verified))
    assert "--add kubeos kubeos-verity" in asked
    assert "--omit systemd systemd-initrd dracut-systemd" in asked
