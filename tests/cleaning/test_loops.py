"""Real loop devices that legacy kbimg leaves attached to its files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import run_doit

MIB = 1 << 20


def attached(folder: Path) -> dict:
    """The loop devices of files in the folder, by file."""
    rows = subprocess.run(
        ["losetup", "--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE"],
        check=True,
        text=True,
        capture_output=True,
    ).stdout.splitlines()
    pairs = (row.split(" ")[:2] for row in rows)
    return {file.replace("\\x20", " "): name for name, file in pairs if str(folder) in file}


def attach(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as stream:
        stream.truncate(4 * MIB)
    return subprocess.run(
        ["losetup", "--find", "--show", path], check=True, text=True, capture_output=True
    ).stdout.strip()


@pytest.fixture
def out(namespace, tmp_path: Path) -> Iterator[Path]:
    """The output directory of legacy kbimg, with its disk attached."""
    out = tmp_path / "scripts-auto"
    attach(out / "system.img")
    yield out
    namespace.close()
    for device in attached(tmp_path).values():
        subprocess.run(["losetup", "--detach", device], check=True)


def test_a_device_is_detached_and_others_stay(namespace, out, tmp_path):
    outside = attach(tmp_path / "scripts-auto-2/system.img")
    device = attached(out / "system.img")[str(out / "system.img")]
    shown = namespace.doit("clean", "-n")
    assert f"detach  {device} from {out / 'system.img'}\n" in shown
    assert outside not in shown
    assert len(attached(tmp_path)) == 2
    assert f"detached {device} from {out / 'system.img'}\n" in namespace.doit("clean")
    assert attached(tmp_path) == {str(tmp_path / "scripts-auto-2/system.img"): outside}
    assert not out.exists()


def test_cleanup_detaches_and_keeps_the_file(namespace, out, tmp_path):
    namespace.doit("cleanup")
    assert attached(tmp_path) == {}
    assert (out / "system.img").stat().st_size == 4 * MIB


def test_a_file_of_the_users_is_let_go_of_and_stays(namespace, out, tmp_path):
    attach(out / "mine/disk of mine.img")
    assert f"from {out}/mine/disk of mine.img" in namespace.doit("clean", "-n")
    namespace.doit("clean")
    assert attached(tmp_path) == {}
    assert sorted(os.listdir(out)) == ["mine"]


def test_a_file_that_was_deleted_already(namespace, out, tmp_path):
    (out / "system.img").unlink()
    assert "(deleted)" in namespace.doit("clean")
    assert attached(tmp_path) == {}


def test_its_own_mounts_go_first(namespace, out, tmp_path):
    """The disk mounted on legacy kbimg's `mnt`, as when legacy kbimg is killed."""
    device = attached(out)[str(out / "system.img")]
    subprocess.run(["mke2fs", "-q", "-F", device], check=True)
    (out / "mnt").mkdir()
    namespace.run("mount", device, out / "mnt")
    said = namespace.doit("clean")
    assert said.index(f"unmounted {out / 'mnt'}") < said.index(f"detached {device}")
    assert attached(tmp_path) == {}
    assert not out.exists()


def test_a_device_that_is_mounted_elsewhere_keeps_its_file(namespace, out, tmp_path):
    device = attached(out)[str(out / "system.img")]
    subprocess.run(["mke2fs", "-q", "-F", device], check=True)
    (tmp_path / "elsewhere").mkdir()
    (out / ".kbimg/stages").mkdir(parents=True)
    namespace.run("mount", device, tmp_path / "elsewhere")
    # The device is in use even if the mount is in another namespace.
    for run in (namespace.doit, seen_from_here(tmp_path)):
        said = run("clean", check=False)
        assert (
            f"{out / 'system.img'}: not deleted: {device} is attached to it and is in use: "
            f"mounted at {tmp_path / 'elsewhere'}. "
        ) in said
        assert said.count("is in use") == 1
        assert (out / "system.img").exists()
        assert attached(tmp_path) == {str(out / "system.img"): device}
    assert not (out / ".kbimg/stages").exists()
    namespace.run("umount", tmp_path / "elsewhere")
    namespace.doit("clean")
    assert attached(tmp_path) == {}


def seen_from_here(folder: Path):
    def run(*argv: str, check: bool) -> str:
        done = run_doit(folder, *argv)
        assert (done.returncode == 0) == check
        return done.stdout

    return run


def test_a_partition_that_is_mounted(namespace, out, tmp_path, request):
    """Legacy kbimg mounts partitions of its disk; the kernel gives them devices of their own."""
    device = attached(out)[str(out / "system.img")]
    subprocess.run(["sfdisk", "--quiet", device], input="size=2M\n", text=True, check=True)
    subprocess.run(["partx", "--add", device], check=False)
    part = Path(f"{device}p1")
    if not part.exists():  # if there is no udev
        major, minor = map(int, Path(f"/sys/class/block/{part.name}/dev").read_text().split(":"))
        os.mknod(part, 0o600 | stat.S_IFBLK, os.makedev(major, minor))
        request.addfinalizer(part.unlink)
    subprocess.run(["mke2fs", "-q", "-F", part], check=True)
    (tmp_path / "elsewhere").mkdir()
    namespace.run("mount", part, tmp_path / "elsewhere")
    assert "mounted at" in namespace.doit("clean", check=False)
    namespace.run("umount", tmp_path / "elsewhere")
    namespace.doit("clean")
    assert attached(tmp_path) == {}


def test_a_process_that_has_it_open_is_named_and_ended_by_force(namespace, out, tmp_path):
    device = attached(out)[str(out / "system.img")]
    process = namespace.start(
        sys.executable,
        "-c",
        "import sys, time; held = open(sys.argv[1], 'rb')\n"
        "print('ready', flush=True); time.sleep(1000)",
        device,
    )
    said = namespace.doit("clean", check=False)
    assert f"process {process.pid} of root" in said and f"has open {device}" in said
    assert attached(tmp_path) == {str(out / "system.img"): device}
    assert (out / "system.img").exists()
    namespace.doit("clean", "force=1")
    process.wait(10)
    assert attached(tmp_path) == {}
    assert not out.exists()


def test_one_stage_lets_go_of_its_own_only(namespace, out, tmp_path):
    own = attach(out / ".kbimg/stages/esp/esp.img")
    said = namespace.doit("clean", "esp")
    assert f"detached {own}" in said
    assert list(attached(tmp_path)) == [str(out / "system.img")]


def test_a_link_as_the_output_directory(namespace, out, tmp_path):
    out.rename(tmp_path / "large-disk")
    out.symlink_to(tmp_path / "large-disk")
    namespace.doit("clean")
    assert attached(tmp_path) == {}
