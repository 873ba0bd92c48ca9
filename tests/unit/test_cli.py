"""The command `kbimg`: the arguments and exit statuses of legacy kbimg, on the same graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import started
from building import SMALL, write_config

from kbimg_tasks.cli import main
from kbimg_tasks.commands.boot import boot
from kbimg_tasks.commands.boot.hardware import Addresses
from kbimg_tasks.config.tables import PxeConfig
from kbimg_tasks.tools.user_error import UserError


def kbimg(cwd: Path, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it, in a directory without dodo.py."""
    return started.kbimg(cwd, *argv, env={**os.environ, **env})


def installed(cwd: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """The installed command, as a separate process."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "kbimg"), *argv],
        cwd=cwd,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(tmp_path, flag):
    done = installed(tmp_path, flag)
    assert (done.returncode, done.stdout) == (0, f"kbimg {metadata.version('kbimg')}\n")


@pytest.mark.parametrize("argv", [("-h",), ("--help",), ("help",)])
def test_help(tmp_path, argv):
    done = kbimg(tmp_path, *argv)
    assert done.returncode == 0
    assert "build a KubeOS image" in done.stdout


def test_nothing_said(tmp_path):
    done = kbimg(tmp_path)
    assert done.returncode == 2
    assert done.stdout == kbimg(tmp_path, "-h").stdout


@pytest.mark.parametrize("argv", [("create", "-h"), ("help", "create")])
def test_help_of_create(tmp_path, argv):
    done = kbimg(tmp_path, *argv)
    assert done.returncode == 0
    assert "vm-img, pxe-img, upgrade-img, admin-container" in done.stdout
    assert "  out=DIR " in done.stdout
    assert "address=" not in done.stdout


@pytest.mark.parametrize("verb", ["boot", "check", "completion", "diff", "doit", "help", "plan"])
def test_help_of_every_verb(tmp_path, verb):
    done = kbimg(tmp_path, "help", verb)
    assert done.returncode == 0, done.stdout
    assert f"kbimg {verb} " in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("create",),
        ("create", "vm-img"),
        ("create", "-f", "kbimg.toml"),
        ("create", "-f", "kbimg.toml", "iso-img"),
        ("create", "-f", "kbimg.toml", "vm-img", "word"),
        ("create", "-v", "3", "-f", "kbimg.toml", "vm-img"),
        ("check", "-v", "2"),
        ("make",),
        ("boot", "upgrade-img"),
        ("boot", "--memory", "much"),
    ],
)
def test_words_that_are_not_understood(tmp_path, argv):
    done = kbimg(tmp_path, *argv)
    assert done.returncode == 2
    assert done.stdout.startswith("usage: kbimg ")
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_is_not_there(tmp_path):
    done = installed(tmp_path, "create", "--file", "none.toml", "vm-img")
    assert done.returncode == 1
    assert (
        "none.toml: no such configuration file; name one with config=FILE, or with kbimg's -f FILE"
    ) in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    "image, where",
    [("upgrade-img", "docs/upgrading.md"), ("admin-container", "docs/containers.md")],
)
def test_what_no_machine_starts_is_led_to_where_it_goes(tmp_path, image, where):
    done = kbimg(tmp_path, "boot", image)
    assert done.returncode == 2
    assert where in done.stdout


@pytest.mark.parametrize("words", [("-v", "2"), ("--verbosity=0",)])
def test_verbosity_is_doits(tmp_path, words):
    done = kbimg(tmp_path, "create", *words, "-f", "none.toml", "vm-img")
    assert done.returncode == 1
    assert "none.toml: no such configuration file" in done.stdout


@pytest.mark.parametrize("image", main.images())
def test_mistakes_are_told_as_doit_tells_them(tmp_path, image):
    path = write_config(tmp_path, SMALL)
    path.write_text(path.read_text().replace('version = "v1"', "version = 1"))
    done = kbimg(tmp_path, "create", "-f", "kbimg.toml", image)
    assert done.returncode == 1
    assert "kbimg.toml:6: from_repo.version: expected a version" in done.stdout


def test_variables_are_doits(tmp_path):
    write_config(tmp_path, SMALL)
    done = kbimg(tmp_path, "create", "-f", "kbimg.toml", "vm-img", "arch=riscv64")
    assert done.returncode == 1
    assert 'arch=: expected one of x86_64, aarch64, found "riscv64"' in done.stdout


def test_check(tmp_path):
    write_config(tmp_path, SMALL)
    done = installed(tmp_path, "check")
    assert done.returncode == 0, done.stdout
    assert "kbimg.toml OK: vm_img (" in done.stdout
    (tmp_path / "kbimg.toml").write_text("[from_repo]\nversion = 1\n")
    done = kbimg(tmp_path, "check", "--json")
    assert done.returncode == 1
    assert any(problem["option"] == "from_repo.version" for problem in json.loads(done.stdout))


@pytest.mark.parametrize("words", [("-d", "create"), ("plan",)])
def test_plan(tmp_path, words):
    write_config(tmp_path, SMALL)
    done = kbimg(tmp_path, *words, "-f", "kbimg.toml", "vm-img")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "scripts-auto/plan/build.sh").is_file()
    assert not (tmp_path / "scripts-auto/system.img").exists()


def test_debug_is_for_create(tmp_path):
    assert kbimg(tmp_path, "-d", "check").returncode == 2


def test_diff(tmp_path):
    done = kbimg(tmp_path, "diff", "one.tar", "other.tar")
    assert done.returncode == 2
    assert "one.tar" in done.stdout and "Traceback" not in done.stdout


def test_doit_itself(tmp_path):
    listed = kbimg(tmp_path, "doit", "list")
    assert listed.returncode == 0
    assert listed.stdout.startswith("vm_img ")
    assert kbimg(tmp_path, "doit", "clean").returncode == 0
    assert kbimg(tmp_path, "doit", "list", "no-such-task").returncode == 3
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_boot(tmp_path):
    write_config(tmp_path, SMALL)
    done = kbimg(tmp_path, "boot")
    assert done.returncode == 1
    assert done.stdout == (
        f"kbimg: there is no {tmp_path}/scripts-auto/system.img: build it "
        "first, by kbimg create -f kbimg.toml vm-img\n"
    )
    done = kbimg(tmp_path, "boot", "pxe-img")
    assert done.returncode == 1
    assert "kbimg.toml: pxe_img needs a table [pxe_config]" in done.stdout


def pxe(**options) -> PxeConfig:
    known = {
        "server_ip": "192.168.122.50",
        "route_ip": "192.168.122.1",
        "disk": "/dev/vda",
        "rootfs_name": "kubeos.tar",
        **options,
    }
    return PxeConfig(**known)


def test_the_network_that_the_installer_is_told():
    assert boot.addresses(pxe(dhcp=True)) == Addresses(
        "192.168.122.0/24", host="192.168.122.1", dns="192.168.122.2", first="192.168.122.3"
    )
    static = pxe(
        local_ip="10.0.0.2",
        netmask="255.255.0.0",
        server_ip="10.0.9.9",
        route_ip="10.0.0.1",
        net_name="eth0",
    )
    assert boot.addresses(static) == Addresses(
        "10.0.0.0/16", host="10.0.0.1", dns="10.0.0.3", first="10.0.0.4"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"route_ip": "192.168.122.50"},
        {"route_ip": "10.0.0.1"},
        {"local_ip": "10.0.0.2", "netmask": "255.255.255.0", "net_name": "eth0"},
        {"server_ip": "10.0.0.1", "route_ip": "10.0.0.2", "netmask": "255.255.255.252"},
    ],
)
def test_networks_that_cannot_be(options):
    with pytest.raises(UserError, match="pxe_config: "):
        boot.addresses(pxe(**options))


def test_a_verified_disk_is_not_started_as_another_one(tmp_path):
    write_config(tmp_path, SMALL)
    (tmp_path / "scripts-auto").mkdir()
    for name in ("system.img", boot.VERIFIED):
        (tmp_path / "scripts-auto" / name).touch()
    done = kbimg(tmp_path, "boot")
    assert done.returncode == 1
    assert "is verified, and kbimg.toml has no [dm_verity]" in done.stdout
