"""The leftovers of a killed legacy kbimg, with real mounts and processes."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

STAYS = "import os,signal,sys,time; signal.signal(15, signal.SIG_IGN)\n"
HOLD = "print('ready', flush=True); time.sleep(1000)"


@pytest.fixture
def aborted(namespace, tmp_path: Path) -> Path:
    """A work tree with the host's kernel file systems in it; /dev is a copy that can be lost."""
    (tmp_path / "devices/pts").mkdir(parents=True)
    (tmp_path / "devices/sda").write_text("the host's disk")
    out = tmp_path / "scripts-auto"
    for name in ("rootfs/proc", "rootfs/sys", "rootfs/dev", "rootfs/etc", "mnt/boot/grub2"):
        (out / name).mkdir(parents=True)
    (out / "rootfs/etc/passwd").write_text("x")
    (out / "rootfs").chmod(0o555)
    (out / "test.lock").touch()
    namespace.run("mount", "-t", "tmpfs", "none", tmp_path / "devices/pts")
    for source, target in (("/proc", "rootfs/proc"), ("/sys", "rootfs/sys")):
        namespace.run("mount", "--bind", source, out / target)
    namespace.run("mount", "--rbind", tmp_path / "devices", out / "rootfs/dev")
    namespace.run("mount", "-t", "tmpfs", "none", out / "mnt")
    namespace.run("mkdir", "-p", out / "mnt/boot/grub2")
    namespace.run("mount", "-t", "tmpfs", "none", out / "mnt/boot/grub2")
    return out


def of(namespace, folder: Path) -> int:
    points = [line.split()[4] for line in namespace.mounts().splitlines()]
    return sum(f"{point}/".startswith(f"{folder}/") for point in points)


def test_everything_goes_and_the_host_keeps_its_own(namespace, aborted, tmp_path):
    assert of(namespace, aborted) == 6
    namespace.run("touch", tmp_path / "devices/pts/0")
    output = namespace.doit("clean")
    order = [line.split()[1] for line in output.splitlines() if line.startswith("unmounted")]
    assert order.index(f"{aborted}/rootfs/dev/pts") < order.index(f"{aborted}/rootfs/dev")
    assert not aborted.exists()
    assert of(namespace, aborted) == 0
    assert (tmp_path / "devices/sda").read_text() == "the host's disk"
    # The copy's mount shares its events with the host's: that one must still be there.
    assert namespace.run("ls", tmp_path / "devices/pts") == "0\n"
    assert "nothing to delete" not in namespace.doit("clean")


def test_cleanup_does_the_same_for_it_and_keeps_results(namespace, aborted, tmp_path):
    (aborted / "system.img").write_text("finished")
    namespace.doit("cleanup")
    assert sorted(os.listdir(aborted)) == [".kbimg", "system.img"]
    assert of(namespace, aborted) == 0
    assert (tmp_path / "devices/sda").exists()


# Each waits until an unmount is given up: one of them is enough for the quick tests.
@pytest.mark.parametrize(
    "how",
    [
        "held = open('scripts-auto/rootfs/dev/sda')",
        pytest.param("os.chdir('scripts-auto/rootfs/dev')", marks=pytest.mark.image),
        pytest.param(
            "import mmap; number = os.open('scripts-auto/rootfs/dev/sda', 0); "
            "held = mmap.mmap(number, 0, prot=mmap.PROT_READ); os.closerange(3, 100)",
            marks=pytest.mark.image,
        ),
    ],
)
def test_a_mount_that_is_held_keeps_all_below_it(namespace, aborted, tmp_path, how):
    holder = namespace.start(sys.executable, "-c", f"{STAYS}{how}\n{HOLD}")
    output = namespace.doit("clean", check=False)
    assert f"{aborted}/rootfs: nothing in it is deleted" in output
    assert f"process {holder.pid} of root: {sys.executable} -c" in output
    assert "force=1" in output
    assert str(namespace.keeper.pid) not in output
    assert (aborted / "rootfs/etc/passwd").exists()
    assert (tmp_path / "devices/sda").read_text() == "the host's disk"
    assert holder.poll() is None
    output = namespace.doit("clean", "force=1")
    assert f"ended process {holder.pid} of root" in output
    assert holder.wait(1) == -9
    assert not aborted.exists()
    assert (tmp_path / "devices/sda").read_text() == "the host's disk"


def test_a_tree_that_is_held_does_not_keep_the_others(namespace, aborted, tmp_path):
    holder = namespace.start(
        sys.executable, "-c", f"{STAYS}os.chdir('scripts-auto/mnt/boot/grub2')\n{HOLD}"
    )
    output = namespace.doit("clean", check=False)
    assert f"{aborted}/mnt: nothing in it is deleted" in output
    assert f"process {holder.pid}" in output
    assert not (aborted / "rootfs").exists()
    assert (tmp_path / "devices/sda").exists()


def test_who_works_in_the_tree_is_named_even_without_a_mount(namespace, tmp_path):
    tree = tmp_path / "scripts-auto/rootfs"
    tree.mkdir(parents=True)
    (tree / "file").touch()
    holder = namespace.start(sys.executable, "-c", f"import os, time; os.chroot('{tree}'); {HOLD}")
    output = namespace.doit("clean", check=False)
    assert f"process {holder.pid} of root" in output
    assert f"has as its root {tree}" in output
    assert (tree / "file").exists()
    namespace.doit("clean", "force=1")
    assert holder.wait(1) == -15
    assert not tree.parent.exists()


def test_the_shell_that_started_it_is_never_ended(namespace, tmp_path):
    tree = tmp_path / "scripts-auto/rootfs"
    tree.mkdir(parents=True)
    argv = namespace.argv(sys.executable, "-m", "doit")[4:]
    output = namespace.run(
        "sh",
        "-c",
        f"cd {tree}; (cd {tmp_path}; " + '"$@"); echo still here',
        "sh",
        *argv[1:],
        "-f",
        Path(__file__).parents[2] / "dodo.py",
        "clean",
        "force=1",
    )
    assert "Leave the directory" in output
    assert "still here" in output
    assert tree.exists()


def test_mounts_that_hide_each_other(namespace, tmp_path):
    tree = tmp_path / "scripts-auto/rootfs"
    (tree / "dev/pts").mkdir(parents=True)
    for name in ("dev/pts", "dev", "dev"):
        namespace.run("mount", "-t", "tmpfs", "none", tree / name)
    namespace.doit("clean")
    assert not tree.parent.exists()


def test_a_build_of_the_former_tool_at_work(namespace, tmp_path):
    out = tmp_path / "scripts-auto"
    (out / "rootfs").mkdir(parents=True)
    with open(out / "test.lock", "w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        output = namespace.doit("clean", "force=1", check=False)
        assert f"process {os.getpid()} of root" in output
    assert (out / "rootfs").exists()
    namespace.doit("clean")
    assert not out.exists()


def test_elsewhere_a_folder_of_that_name_is_the_users(namespace, tmp_path):
    (tmp_path / "mnt").mkdir()
    (tmp_path / "rootfs").mkdir()
    namespace.doit("clean", "out=.")
    assert (tmp_path / "mnt").exists() and (tmp_path / "rootfs").exists()
    (tmp_path / "test.lock").touch()
    namespace.doit("clean", "out=.")
    assert not (tmp_path / "mnt").exists()


def test_a_tree_that_is_a_link_loses_the_link_only(namespace, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").write_text("dear")
    namespace.run("mount", "--bind", tmp_path / "home", tmp_path / "home")
    out = tmp_path / "scripts-auto"
    out.mkdir()
    (out / "rootfs").symlink_to(tmp_path / "home")
    (out / "mnt").mkdir()
    (out / "mnt/link").symlink_to(tmp_path / "home")
    namespace.doit("clean")
    assert not out.exists()
    assert (tmp_path / "home/letter").read_text() == "dear"
    assert of(namespace, tmp_path / "home") == 1
