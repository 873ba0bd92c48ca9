"""copy_into compared with cp -r, and with paths that lead out of the tree."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small root tree."""
    top = tmp_path / "root"
    for folder in ("etc", "usr/lib", "opt/there"):
        (top / folder).mkdir(parents=True)
    (top / "etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nfoo:x:1000:1001::/home/foo:/bin/sh\n"
    )
    (top / "etc/group").write_text("root:x:0:\nfoo:x:1001:\nwheel:x:10:foo\n")
    (top / "lib").symlink_to("usr/lib")
    (top / "absolute").symlink_to("/opt")
    (top / "climber").symlink_to("../../../../etc")
    (top / "host").symlink_to("/nowhere/on/the/image")
    return top


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with a file, a script, a link and a subdirectory."""
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    (top / "plain").write_text("plain\n")
    (top / "sub/script").write_text("#!/bin/sh\n")
    (top / "sub/script").chmod(0o4775)
    (top / "link").symlink_to("plain")
    return top


def picture(top: Path) -> dict:
    """Names, kinds, modes and contents of a tree."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            full = os.path.join(folder, name)
            status = os.lstat(full)
            kind = (
                os.readlink(full)
                if stat.S_ISLNK(status.st_mode)
                else Path(full).read_bytes()
                if stat.S_ISREG(status.st_mode)
                else "directory"
            )
            found[os.path.relpath(full, top)] = (kind, oct(status.st_mode))
    return found


@pytest.mark.parametrize("target", ["opt/there", "opt/new", "opt/there/", "opt"])
@pytest.mark.parametrize("name", ["", "plain", "sub/script"])
def test_copies_as_cp_does(tool, root, source, tmp_path, target, name):
    theirs = tmp_path / "theirs"
    subprocess.run(["cp", "-a", root, theirs], check=True)
    wanted = source / name
    os.umask(0o022)
    subprocess.run(["cp", "-r", wanted, theirs / target], check=True)
    done = tool("copy_into", "--root", root, wanted, f"/{target}")
    assert done.returncode == 0, done.stderr
    assert picture(root) == picture(theirs)


def test_twice_is_once(tool, root, source):
    for _ in range(2):
        assert tool("copy_into", "--root", root, source, "/opt/there").returncode == 0
    assert (root / "opt/there/source/plain").read_text() == "plain\n"
    assert not (root / "opt/there/source/source").exists()


def test_mode_and_owner_hold_for_all_that_is_copied(tool, root, source):
    done = tool(
        "copy_into", "--root", root, "--mode", "0640", "--owner", "foo:wheel", source, "/opt/new"
    )
    assert done.returncode == 0, done.stderr
    for path, mode in (("", 0o750), ("plain", 0o640), ("sub", 0o750), ("sub/script", 0o640)):
        status = (root / "opt/new" / path).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, 1000, 10)
    assert os.lstat(root / "opt/new/link").st_uid == 1000


def test_a_user_brings_its_own_group(tool, root, source):
    assert (
        tool("copy_into", "--root", root, "--owner", "foo", source / "plain", "/etc/x").returncode
        == 0
    )
    assert (root / "etc/x").stat().st_gid == 1001


def test_create_dir(tool, root, source):
    done = tool(
        "copy_into", "--root", root, "--create-dir", "/lib/a/b", source / "plain", "/lib/a/b/c"
    )
    assert done.returncode == 0
    assert (root / "usr/lib/a/b/c").read_text() == "plain\n"


def test_links_are_followed_as_the_image_would(tool, root, source):
    assert tool("copy_into", "--root", root, source / "plain", "/absolute/there").returncode == 0
    assert (root / "opt/there/plain").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/climber/x", "leads out of the root tree"),
        ("/../x", "leads out of the root tree"),
        ("/host", "/host is a link in the image, to /nowhere/on/the/image"),
        ("/no/such/x", "/no/such is not there in the image; create_dir makes it"),
        ("/etc/no/", "/etc/no/ is not there in the image; create_dir makes it"),
    ],
)
def test_refused(tool, root, source, target, message):
    before = picture(root)
    done = tool("copy_into", "--root", root, source / "plain", target)
    assert done.returncode == 1
    assert message in done.stderr
    assert picture(root) == before


def test_a_link_to_what_only_the_running_system_has(tool, root, source):
    (root / "etc/resolv.conf").symlink_to("../run/resolve/stub.conf")
    done = tool("copy_into", f"--root={root}", source / "plain", "/etc/resolv.conf")
    assert done.returncode == 1
    assert done.stderr == (
        "copy_into: /etc/resolv.conf is a link in the image, to "
        "/run/resolve/stub.conf, which the running system makes: replace the "
        "link in a chroot_script\n"
    )


def test_a_nested_link_of_the_tree_is_not_a_way_out(tool, root, source):
    (root / "opt/there/source").mkdir()
    (root / "opt/there/source/plain").symlink_to("../../../../../../../../etc/leaked")
    done = tool("copy_into", "--root", root, source, "/opt/there")
    assert done.returncode == 1
    assert "leads out" in done.stderr


def test_unknown_owner(tool, root, source):
    done = tool("copy_into", "--root", root, "--owner", "bar", source / "plain", "/etc/x")
    assert done.returncode == 1
    assert done.stderr == "copy_into: no user bar in the image's /etc/passwd\n"
