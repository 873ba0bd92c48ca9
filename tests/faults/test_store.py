"""The store of installed trees that all output directories share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from building import made, run_doit
from tiny import configure

from kbimg_tasks.build import store
from kbimg_tasks.steps.layout import Layout

pytestmark = pytest.mark.image

ANOTHER_USER = '[[users]]\nname = "foo"\npasswd = "foo"\n'


def layer(folder: Path, *stages: str, out: str = "scripts-auto") -> str:
    """Build the configuration's own layer and other stages. Returns the output."""
    done = run_doit(folder, "customised", *stages, "cache=cache", f"out={out}")
    assert done.returncode == 0, done.stdout
    return done.stdout


def installed(folder: Path, out: str) -> Path:
    return (folder / out / ".kbimg/stages/rootfs/rootfs").resolve()


def test_the_same_packages_are_installed_once(tiny_repo, tmp_path):
    configure(tmp_path, tiny_repo)
    layer(tmp_path, "initramfs")
    tree = installed(tmp_path, "scripts-auto")
    before = tree.stat()
    configure(tmp_path, tiny_repo, ANOTHER_USER)
    layer(tmp_path, "initramfs", out="other")
    assert installed(tmp_path, "other") == tree
    assert tree.stat().st_ctime_ns == before.st_ctime_ns
    assert not (tmp_path / "other/.kbimg/logs/rootfs.log").exists()
    shown = run_doit(tmp_path, "store", "cache=cache").stdout
    assert str(tree.parent) in shown and "GiB" in shown
    assert len(list((tmp_path / "cache/store/entries").iterdir())) == 2  # and the initramfs


@pytest.mark.parametrize("damage", ["content", "missing", "mode", "stamp", "all"])
def test_a_damaged_tree_is_made_again(tiny_repo, tmp_path, damage):
    configure(tmp_path, tiny_repo)
    layer(tmp_path)
    tree = installed(tmp_path, "scripts-auto")
    victim = tree / "etc/passwd"
    intact = victim.read_bytes()
    if damage == "content":
        victim.write_bytes(intact.replace(b"root", b"toor", 1))
    elif damage == "missing":
        victim.unlink()
    elif damage == "mode":
        victim.chmod(0o666)
    elif damage == "stamp":
        (tree.parent / "stamp.json").write_text("{")
        victim.unlink()
    else:
        shutil.rmtree(tmp_path / "cache/store")
    configure(tmp_path, tiny_repo, ANOTHER_USER)
    layer(tmp_path)
    layer(tmp_path, out="other")
    for out in ("scripts-auto", "other"):
        found = installed(tmp_path, out) / "etc/passwd"
        assert found.read_bytes() == intact
        assert found.stat().st_mode & 0o777 == 0o644


def test_half_written_entries_are_no_entries(tiny_repo, tmp_path):
    """The state after a build that was killed while it made the tree."""
    configure(tmp_path, tiny_repo)
    layer(tmp_path)
    tree = installed(tmp_path, "scripts-auto")
    (tree.parent / "stamp.json").unlink()
    shutil.rmtree(tree / "usr")
    half = tmp_path / "cache/store/partial" / tree.parent.name / "rootfs/usr"
    half.mkdir(parents=True)
    layer(tmp_path, out="other")
    assert (installed(tmp_path, "other") / "usr/bin").exists()
    assert not half.exists()


def test_prune_keeps_what_is_in_use(tiny_repo, tmp_path):
    configure(tmp_path, tiny_repo)
    layer(tmp_path)
    layout = Layout(tmp_path / "scripts-auto", tmp_path / "cache")
    tree = installed(tmp_path, "scripts-auto")
    store.hold(layout, "rootfs")
    try:
        done = run_doit(tmp_path, "prune", "cache=cache", "store_gib=0")
        assert done.returncode == 0, done.stdout
        assert tree.exists()
        assert [entry.folder for entry in store.entries(layout)] == [tree.parent]
    finally:
        store.release()
    run_doit(tmp_path, "prune", "cache=cache", "store_gib=0")
    assert not tree.exists()
    # The next build makes what it needs anew.
    configure(tmp_path, tiny_repo, ANOTHER_USER)
    assert {"rootfs", "customised"} <= set(made(layer(tmp_path)))


def test_downloaded_packages_that_are_gone(tiny_repo, tmp_path):
    """The package cache was emptied: packages are downloaded again when they are needed."""
    configure(tmp_path, tiny_repo)
    layer(tmp_path)
    listing = tmp_path / "scripts-auto/.kbimg/stages/packages/packages.list"
    first = Path(listing.read_text().split()[0])
    if first.is_relative_to(tmp_path):
        first.unlink()
    else:  # dnf takes the packages of a local repository from where they lie
        listing.write_text(listing.read_text().replace(str(first), "/no/such.rpm"))
    shutil.rmtree(tmp_path / "cache/store")
    layer(tmp_path)
    assert (installed(tmp_path, "scripts-auto") / "usr/bin").exists()
