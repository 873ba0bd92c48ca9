"""Deletion that never leaves its directory, and that detects mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kbimg_tasks.commands.clean.leftovers import everything, legacy, unfinished
from kbimg_tasks.diagnostics.figures import readable
from kbimg_tasks.host import holders, mounts, remove
from kbimg_tasks.steps.layout import Layout

# Mounted after the table was read: detected at the opened file.
BLIND = """
import sys
from pathlib import Path
from kbimg_tasks.host import mounts, remove
mounts.below = lambda path: []
try:
    remove.delete(Path(sys.argv[1]))
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("arguments", [("--bind", "home"), ("-t", "tmpfs", "none")])
def test_a_mount_that_comes_late_is_not_entered(namespace, tmp_path: Path, arguments):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").write_text("dear")
    (tmp_path / "tree/home").mkdir(parents=True)
    namespace.run("mount", *arguments, "tree/home")
    namespace.run("touch", "tree/home/file")
    output = namespace.python(BLIND, tmp_path / "tree")
    assert f"something is mounted there: '{tmp_path}/tree/home'" in output
    assert namespace.run("ls", "tree/home").split()[0] == "file"
    assert (tmp_path / "home/letter").exists()


def test_a_mount_that_is_in_the_table_keeps_everything(namespace, tmp_path: Path):
    (tmp_path / "tree/a b\\n").mkdir(parents=True)
    (tmp_path / "tree/a").touch()
    namespace.run("mount", "--bind", "/usr", tmp_path / "tree/a b\\n")
    output = namespace.python(
        BLIND.replace("mounts.below = lambda path: []", "").replace(
            "OSError", "remove.StillMounted"
        ),
        tmp_path / "tree",
    )
    assert f"{tmp_path}/tree is not deleted: {tmp_path}/tree/a b\\n is mounted there" in output
    assert (tmp_path / "tree/a").exists()


def test_a_tree_of_every_kind_of_file(tmp_path: Path):
    home, tree = tmp_path / "home", tmp_path / "tree"
    home.mkdir()
    (home / "letter").touch()
    folder = tree
    for number in range(200):
        folder = folder / f"{number}"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(home)
    (tree / "dangling").symlink_to("nowhere")
    os.mkfifo(tree / "fifo")
    os.link(home / "letter", tree / "letter")
    (tree / os.fsdecode(b"\xff\n")).touch()
    tree.chmod(0)
    remove.delete(tree)
    assert sorted(os.listdir(tmp_path)) == ["home"]
    assert (home / "letter").exists()
    remove.delete(tree)


def test_size_on_disk(tmp_path: Path):
    tree = tmp_path / "tree"
    tree.mkdir()
    empty = remove.allocated(tree)
    with open(tree / "sparse", "wb") as stream:
        stream.write(b"x" * 8192)
        stream.truncate(1 << 30)
    os.link(tree / "sparse", tree / "again")
    (tree / "link").symlink_to("/usr")
    assert remove.allocated(tree) == empty + 8192


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 << 19, "1.5 MiB"),
        (5 << 40, "5120.0 GiB"),
    ],
)
def test_sizes_for_people(size, text):
    assert readable(size) == text


def test_mountinfo():
    text = (
        b"36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime master:1 - ext3 /dev/root rw\n"
        b"37 36 0:5 / /mnt/\xff\\134x rw - proc proc rw\n"
    )
    assert mounts.parse(text) == [
        mounts.Mount(36, "/mnt/a b"),
        mounts.Mount(37, os.fsdecode(b"/mnt/\xff\\x")),
    ]


def test_nobody_holds_what_nobody_opened(tmp_path: Path):
    assert holders.holding([str(tmp_path)]) == []


def test_a_command_cannot_write_to_the_terminal(namespace, tmp_path: Path):
    holder = namespace.start(
        "python3",
        "-c",
        "import time; held = open('.'.join(['x','y']), 'w')\n"
        "print('ready', flush=True); time.sleep(1000)",
        "\033[2J",
    )
    found = holders.holding([str(tmp_path / "x.y")])
    assert [one.pid for one in found] == [holder.pid]
    assert str(found[0]).endswith(f" ?[2J (has open {tmp_path}/x.y)")


def test_nothing_is_listed_where_nothing_is(tmp_path: Path):
    layout = Layout(tmp_path / "scripts-auto")
    assert everything(layout, ["system.img"]) == unfinished(layout) == legacy(layout) == ()


def test_the_lock_goes_last(tmp_path: Path):
    layout = Layout(tmp_path / "out")
    (layout.private / "stages/a").mkdir(parents=True)
    (layout.private / "fingerprint.key").touch()
    layout.lock.touch()
    (layout.out / "system.img").touch()
    assert everything(layout, ["system.img"]) == (
        layout.out / "system.img",
        layout.stage("a"),
        layout.private / "fingerprint.key",
        layout.private,
    )
