"""An installed tree is prepared for many nodes, and a finished one is described."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

GZIP = "gzip -1 -n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree after the installation, with traces of the machine that installed it."""
    top = tmp_path / "tree"
    for name in (
        "boot/vmlinuz-6.6.0",
        "boot/.vmlinuz-6.6.0.hmac",
        "boot/initramfs-6.6.0.img",
        "usr/lib/modules/6.6.0/modules.dep",
        "usr/bin/gzip",
        "etc/machine-id",
        "etc/passwd",
        "etc/passwd-",
        "etc/ssh/sshd_config",
        "etc/ssh/ssh_host_rsa_key",
        "etc/dracut.conf.d/00-kbimg-later.conf",
        "root/.bash_history",
        "run/utmp",
        "tmp/x",
        "var/cache/dnf/repo/solv",
        "var/lib/rpm/rpmdb.sqlite",
        "var/lib/rpm/rpmdb.sqlite-wal",
        "var/lib/systemd/random-seed",
        "var/log/dnf.log",
        "var/log/audit/kept",
    ):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    (top / "var/lib/dbus").mkdir()
    (top / "var/lib/dbus/machine-id").write_text("an id of its own\n")
    return top


def files(top: Path) -> set[str]:
    """The paths of all files and links."""
    return {
        str(path.relative_to(top))
        for path in top.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def finish(tool, tree: Path, name: str = "finish_install"):
    """Run the tool. Returns its status, and the version and the command that it wrote."""
    told = [tree.parent / each for each in ("kernel-version", "compressor")]
    done = tool(name, tree, f"--kernel-version={told[0]}", f"--compressor={told[1]}")
    return done, [path.read_text().strip() for path in told if path.exists()]


def test_traces_of_one_machine_are_removed(tool, tree: Path):
    done, told = finish(tool, tree)
    assert done.returncode == 0, done.stderr
    assert told == ["6.6.0", GZIP]
    assert files(tree) == {
        "boot/vmlinuz",
        "etc/machine-id",
        "etc/passwd",
        "etc/ssh/sshd_config",
        "usr/bin/gzip",
        "usr/lib/modules/6.6.0/modules.dep",
        "usr/share/factory/var/lib/dbus/machine-id",
        "usr/share/factory/var/lib/rpm/rpmdb.sqlite",
        "usr/share/factory/var/log/audit/kept",
    }
    assert (tree / "boot/vmlinuz").read_text() == "boot/vmlinuz-6.6.0"


def test_the_machine_id_is_empty_and_dbus_uses_the_same(tool, tree: Path):
    finish(tool, tree)
    machine_id = tree / "etc/machine-id"
    assert (machine_id.read_text(), stat.S_IMODE(machine_id.stat().st_mode)) == ("", 0o444)
    bus = tree / "usr/share/factory/var/lib/dbus/machine-id"
    assert os.readlink(bus) == "/etc/machine-id"


def test_var_and_mount_points_are_empty_directories(tool, tree: Path):
    finish(tool, tree)
    modes = {"var": 0o755, "tmp": 0o1777, "proc": 0o555, "boot/efi": 0o700, "persist": 0o755}
    assert {name: stat.S_IMODE((tree / name).stat().st_mode) for name in modes} == modes
    assert not any(files(tree / name) for name in modes)


def test_a_container_keeps_its_var(tool, tree: Path):
    done = tool("finish_install", tree, "--container")
    assert done.returncode == 0, done.stderr
    assert (tree / "etc/machine-id").read_text() == ""
    assert {"boot/vmlinuz-6.6.0", "var/lib/rpm/rpmdb.sqlite"} <= files(tree)
    assert not {"etc/ssh/ssh_host_rsa_key", "var/log/dnf.log"} & files(tree)
    assert not (tree / "usr/share/factory").exists()


@pytest.mark.parametrize(
    ("versions", "found"), [((), "found none;"), (("6.5.0", "6.6.0"), "found 6.5.0, 6.6.0;")]
)
def test_one_kernel_is_expected(tool, tree: Path, versions, found):
    (tree / "boot/vmlinuz-6.6.0").unlink()
    (tree / "boot/vmlinuz-without-modules").touch()
    for version in versions:
        (tree / f"boot/vmlinuz-{version}").touch()
        (tree / "usr/lib/modules" / version).mkdir(exist_ok=True)
    done, told = finish(tool, tree)
    assert (done.returncode, told) == (1, [])
    assert found in done.stderr and "Traceback" not in done.stderr


def test_a_package_with_files_in_the_factory_is_refused(tool, tree: Path):
    (tree / "usr/share/factory/var").mkdir(parents=True)
    done, _ = finish(tool, tree)
    assert done.returncode == 1
    assert "a package has put files in /usr/share/factory/var" in done.stderr
    assert (tree / "var/lib/rpm/rpmdb.sqlite").exists()


@pytest.mark.parametrize("name", ["finish_install", "describe_kernel"])
@pytest.mark.parametrize(
    ("kernel", "programs", "command"),
    [
        ("ZSTD LZ4 GZIP", "zstd lz4 pigz", "zstd -3 -T0 -q"),
        ("LZ4 GZIP", "zstd lz4 pigz", "lz4 -l -1"),
        ("GZIP", "zstd lz4 pigz", "pigz -6 -n"),
        ("ZSTD GZIP", "", GZIP),
        ("", "zstd", "zstd -3 -T0 -q"),
    ],
)
def test_the_fastest_compressor_that_the_kernel_unpacks(
    tool, tree: Path, name, kernel, programs, command
):
    """A kernel without a configuration in /boot unpacks all of them."""
    if kernel:
        options = "".join(f"CONFIG_RD_{each}=y\n" for each in kernel.split())
        (tree / "boot/config-6.6.0").write_text(f"CONFIG_X=y\n{options}# CONFIG_RD_Y is not set\n")
    for program in programs.split():
        (tree / "usr/bin" / program).touch()
    done, told = finish(tool, tree, name)
    assert done.returncode == 0, done.stderr
    assert told == ["6.6.0", command]


@pytest.mark.parametrize("name", ["finish_install", "describe_kernel"])
def test_without_a_compressor(tool, tree: Path, name):
    (tree / "usr/bin/gzip").unlink()
    done, told = finish(tool, tree, name)
    assert (done.returncode, told) == (1, [])
    assert done.stderr == (
        f"{name}: none of zstd, lz4, pigz and gzip is installed: add gzip to from_repo.rpmlist\n"
    )


def test_a_finished_tree_is_described_and_not_changed(tool, tree: Path):
    finish(tool, tree)
    before = files(tree)
    done, told = finish(tool, tree, "describe_kernel")
    assert done.returncode == 0, done.stderr
    assert told == ["6.6.0", GZIP]
    assert files(tree) == before


@pytest.mark.parametrize(
    ("versions", "found"), [((), "found none\n"), (("6.5.0", "6.6.0"), "found 6.5.0, 6.6.0\n")]
)
def test_a_finished_tree_has_one_kernels_modules(tool, tmp_path: Path, versions, found):
    for version in versions:
        (tmp_path / "tree/usr/lib/modules" / version).mkdir(parents=True)
        (tmp_path / "tree/usr/lib/modules" / version / "modules.dep").touch()
    done, told = finish(tool, tmp_path / "tree", "describe_kernel")
    assert (done.returncode, told) == (1, [])
    assert done.stderr.startswith("describe_kernel: expected the modules of one kernel")
    assert done.stderr.endswith(found)
