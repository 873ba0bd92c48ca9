"""The additions of a configuration, by the host's programs in a small tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kbimg_tasks.build.runner import StageFailed

pytestmark = pytest.mark.image

CONFIG = """
[[users]]
name = "foo"
passwd = "foo's pass word"
groups = ["wheel"]
primary_group = "foo"

[[copy_files]]
src = "hello.txt"
dst = "/usr/share/test/deep"
create_dir = "/usr/share/test/deep"
mode = "0640"
owner = "root:wheel"

[[copy_files]]
src = "hello.txt"
dst = "/home/foo/hello.txt"
owner = "foo:foo"

[[copy_files]]
src = "own.service"
dst = "/etc/systemd/system"

[systemd_service]
name = ["own.service"]

[chroot_script]
path = "mark.sh"
rm = true
"""


def prepare(new_bench, put_system, folder: Path):
    """The stages with the user's files and installed packages."""
    (folder / "hello.txt").write_text("hello\n")
    (folder / "own.service").write_text("[Service]\nExecStart=true\n")
    (folder / "mark.sh").write_text(
        "#!/bin/sh\nset -e\nid -u > /etc/chroot-mark\necho it > /var/lib/from-script\n"
    )
    made = new_bench(folder, CONFIG)
    made.put("grub", "layer", {})
    put_system(made)
    return made


@pytest.fixture(scope="module")
def layer(new_bench, put_system, tmp_path_factory) -> Path:
    """The layer over the packages."""
    made = prepare(new_bench, put_system, tmp_path_factory.mktemp("customised"))
    return Path(made.make("customised")["layer"])


def entry(layer: Path, name: str, key: str) -> list[str]:
    """The fields of a line in /etc/passwd or a similar file."""
    lines = (layer / f"etc/{name}").read_text().splitlines()
    return next(line.split(":") for line in lines if line.startswith(f"{key}:"))


def test_users(layer):
    assert entry(layer, "passwd", "foo")[5:] == ["/home/foo", "/bin/bash"]
    assert "foo" in entry(layer, "group", "wheel")[3].split(",")
    salt, hashed = entry(layer, "shadow", "foo")[1].split("$")[2:]
    again = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin", "-salt", salt],
        input="foo's pass word\n",
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert again.strip() == f"$6${salt}${hashed}"
    assert entry(layer, "shadow", "root")[1] == "$1$xyz$RdLyKTL32WEvK3lg8CXID0"


def test_files(layer):
    copied = layer / "usr/share/test/deep/hello.txt"
    assert copied.read_text() == "hello\n"
    wheel = int(entry(layer, "group", "wheel")[2])
    found = copied.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, wheel, 0o640)
    theirs = (layer / "home/foo/hello.txt").stat()
    assert theirs.st_uid == int(entry(layer, "passwd", "foo")[2]) != 0


def test_services(layer):
    wants = layer / "etc/systemd/system/multi-user.target.wants"
    assert {path.name for path in wants.iterdir()} >= {
        "boot-efi.mount",
        "kubelet.service",
        "kubeos-machine-id.service",
        "os-agent.service",
        "own.service",
        "persist.mount",
    }
    assert (layer / "usr/lib/systemd/system/os-agent.service").is_file()
    assert (layer / "usr/bin/os-agent").stat().st_mode & 0o7777 == 0o500


def test_the_script_ran_as_root_and_is_gone(layer):
    assert (layer / "etc/chroot-mark").read_text() == "0\n"
    assert not (layer / "mark.sh").exists()


def test_what_a_script_puts_into_var_lands_in_the_factory_copy(layer):
    assert (layer / "usr/share/factory/var/lib/from-script").read_text() == "it\n"
    assert not (layer / "var/lib").exists()
    assert "/var/lib/from-script" in (layer / "usr/lib/tmpfiles.d/kubeos-var.conf").read_text()


def test_the_version_is_in_os_release(layer):
    assert 'VERSION_ID="v1"' in (layer / "usr/lib/os-release").read_text()
    assert os.readlink(layer / "etc/os-release") == "../usr/lib/os-release"


def test_a_script_that_fails_is_named_and_makes_no_layer(new_bench, put_system, tmp_path):
    made = prepare(new_bench, put_system, tmp_path)
    (tmp_path / "mark.sh").write_text("#!/bin/sh\necho no >&2\nexit 3\n")
    with pytest.raises(StageFailed, match="exit status 3") as failed:
        made.make("customised")
    assert failed.value.blamed == ((("chroot_script", "path"), "no"),)
    assert not made.path("customised", "layer").exists()
