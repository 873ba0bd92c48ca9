"""The tools that write one file each, with real input and with input that they must refuse."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest


def test_fill(tool, tmp_path: Path):
    template, target = tmp_path / "t", tmp_path / "new/folder/f"
    template.write_text("a=@A@\nb=@B_2@\nmail@example.org\n")
    assert tool("fill", template, target, "A=1", "B_2=x=y").returncode == 0
    assert target.read_text() == "a=1\nb=x=y\nmail@example.org\n"


@pytest.mark.parametrize("values", [["A=1"], ["A=1", "B=2", "C=3"], []])
def test_fill_refuses_what_does_not_match(tool, tmp_path: Path, values):
    template, target = tmp_path / "t", tmp_path / "f"
    template.write_text("@A@ @B@\n")
    done = tool("fill", template, target, *values)
    assert done.returncode == 1
    assert "marks and values differ" in done.stderr
    assert not target.exists()


def test_fill_replaces_a_link_and_not_its_target(tool, tmp_path: Path):
    template, target, other = tmp_path / "t", tmp_path / "f", tmp_path / "other"
    template.write_text("x\n")
    other.write_text("kept\n")
    target.symlink_to(other)
    assert tool("fill", template, target).returncode == 0
    assert (other.read_text(), target.read_text()) == ("kept\n", "x\n")


def test_set_password(tool, tmp_path: Path):
    shadow = tmp_path / "shadow"
    shadow.write_text("root:*:1:0:99999:7:::\nfoo:!:2:0:99999:7:::\n")
    shadow.chmod(0)
    done = tool(
        "set_password",
        shadow,
        "foo",
        stdin="$6$salt$hash\n",
        SOURCE_DATE_EPOCH=str(86400 * 20000 + 5),
    )
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(shadow.stat().st_mode) == 0
    assert shadow.read_text() == ("root:*:1:0:99999:7:::\nfoo:$6$salt$hash:20000:0:99999:7:::\n")


def test_set_password_without_an_entry(tool, tmp_path: Path):
    shadow = tmp_path / "shadow"
    shadow.write_text("root:*:1:0:99999:7:::\n")
    done = tool("set_password", shadow, "bar", stdin="secret\n", SOURCE_DATE_EPOCH="0")
    assert done.returncode == 1
    assert done.stderr == "set_password: no entry for bar in /etc/shadow\n"


def test_grub_password_is_what_grub_computes(tool, tmp_path: Path):
    target, salt = tmp_path / "user.cfg", "00ff" * 32
    assert tool("grub_password", target, "--salt", salt, stdin="pass word\n").returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    name, _, value = target.read_text().strip().partition("=")
    kind = value.split(".")
    digest = hashlib.pbkdf2_hmac("sha512", b"pass word", bytes.fromhex(salt), int(kind[3]), 64)
    assert name == "GRUB2_PASSWORD"
    assert kind[:3] == ["grub", "pbkdf2", "sha512"]
    assert [bytes.fromhex(part) for part in kind[4:]] == [bytes.fromhex(salt), digest]


def test_lock_packages(tool, tmp_path: Path):
    resolved = tmp_path / "resolved"
    resolved.write_text(
        "b-1-1.noarch\tsha256:bb\t20\t200\t/c/b.rpm\na-1-1.noarch\tsha256:aa\t10\t300\t/c/a.rpm\n"
    )
    places = {name: tmp_path / name for name in ("lock", "list", "count", "clock")}
    done = tool("lock_packages", resolved, *(f"--{name}={path}" for name, path in places.items()))
    assert done.returncode == 0, done.stderr
    assert {name: path.read_text() for name, path in places.items()} == {
        "lock": "a-1-1.noarch\tsha256:aa\t10\t300\nb-1-1.noarch\tsha256:bb\t20\t200\n",
        "list": "/c/a.rpm\n/c/b.rpm\n",
        "count": "2\n",
        "clock": "300\n",
    }


def test_list_factory_is_what_systemd_reads(tool, tmp_path: Path):
    """systemd-tmpfiles creates a second tree from the list, which must be equal to the first."""
    root = tmp_path / "root"
    factory = root / "usr/share/factory/var"
    (factory / "lib/with space").mkdir(parents=True)
    (factory / 'lib/50% off "quoted" b\\s').write_text("odd\n")
    (factory / "lib/with space/file").write_text("content\n")
    os.chown(factory / "lib/with space/file", 12, 34)
    os.chmod(factory / "lib/with space/file", 0o4640)
    os.chmod(factory / "lib/with space", 0o2750)
    (factory / "run").symlink_to("../a b%c")
    (root / "var").mkdir()
    listing = root / "usr/lib/tmpfiles.d/kubeos-var.conf"
    assert tool("list_factory", factory, listing).returncode == 0
    subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={root}", "kubeos-var.conf"], check=True
    )
    made = root / "var"
    status = (made / "lib/with space/file").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12, 34, 0o4640)
    assert stat.S_IMODE((made / "lib/with space").stat().st_mode) == 0o2750
    assert (made / 'lib/50% off "quoted" b\\s').read_text() == "odd\n"
    assert os.readlink(made / "run") == "../a b%c"


def test_list_factory_copies_a_service_folder_with_others_files_whole(tool, tmp_path: Path):
    """systemd refuses to follow a path from a service's directory to root's file inside it."""
    root = tmp_path / "root"
    factory = root / "usr/share/factory/var"
    (factory / "lib/service/rules.d").mkdir(parents=True)
    (factory / "lib/service/rules.d/rule").write_text("root's\n")
    os.chown(factory / "lib/service", 12, 0)
    (root / "var").mkdir()
    listing = root / "usr/lib/tmpfiles.d/kubeos-var.conf"
    assert tool("list_factory", factory, listing).returncode == 0
    done = subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={root}", "kubeos-var.conf"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "unsafe" not in done.stderr
    assert (root / "var/lib/service/rules.d/rule").read_text() == "root's\n"
    owners = [(root / "var/lib/service" / path).stat().st_uid for path in ("", "rules.d")]
    assert owners == [12, 0]


def test_list_factory_adds_to_what_a_node_has(tool, tmp_path: Path):
    root = tmp_path / "root"
    factory = root / "usr/share/factory/var"
    (factory / "lib/app").mkdir(parents=True)
    (factory / "lib/app/old").write_text("from the image\n")
    (factory / "lib/app/new").write_text("from the image\n")
    (root / "var/lib/app").mkdir(parents=True)
    (root / "var/lib/app/old").write_text("changed by the node\n")
    listing = root / "usr/lib/tmpfiles.d/kubeos-var.conf"
    assert tool("list_factory", factory, listing).returncode == 0
    subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={root}", "kubeos-var.conf"], check=True
    )
    assert (root / "var/lib/app/old").read_text() == "changed by the node\n"
    assert (root / "var/lib/app/new").read_text() == "from the image\n"


def test_list_factory_leaves_the_package_database_in_the_image(tool, tmp_path: Path):
    """The link replaces a node's own database of an earlier image."""
    root = tmp_path / "root"
    factory = root / "usr/share/factory/var"
    (factory / "lib/rpm").mkdir(parents=True)
    (factory / "lib/rpm/rpmdb.sqlite").write_text("of the image\n")
    (root / "var/lib/rpm").mkdir(parents=True)
    (root / "var/lib/rpm/rpmdb.sqlite").write_text("of an earlier image\n")
    listing = root / "usr/lib/tmpfiles.d/kubeos-var.conf"
    assert tool("list_factory", factory, listing).returncode == 0
    subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={root}", "kubeos-var.conf"], check=True
    )
    assert os.readlink(root / "var/lib/rpm") == "/usr/share/factory/var/lib/rpm"
    assert (factory / "lib/rpm/rpmdb.sqlite").read_text() == "of the image\n"


def test_settle_rpmdb_lets_rpm_read_where_nothing_can_be_written(tool, tmp_path: Path):
    database = tmp_path / "rpm"
    query = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount --bind "$0" "$0" && '
        'mount -o remount,bind,ro "$0" && rpm --dbpath "$0" --query --all',
        str(database),
    ]
    subprocess.run(["rpm", "--dbpath", str(database), "--initdb"], check=True)
    for path in database.glob("rpmdb.sqlite-*"):  # an image has none: finish_install
        path.unlink()
    assert subprocess.run(query, capture_output=True, check=False).returncode != 0
    assert tool("settle_rpmdb", database).returncode == 0
    assert [path.name for path in database.iterdir() if path.name[0] != "."] == ["rpmdb.sqlite"]
    assert subprocess.run(query, capture_output=True, check=False).returncode == 0
    assert tool("settle_rpmdb", tmp_path).returncode == 0  # no such database


def test_sparse_copy_keeps_data_and_holes(tool, tmp_path: Path):
    image, disk = tmp_path / "image", tmp_path / "disk"
    with open(image, "wb") as stream:
        stream.truncate(64 << 20)
        for place in (0, 5 << 20, (64 << 20) - 7):
            stream.seek(place)
            stream.write(os.urandom(7))
    with open(disk, "wb") as stream:
        stream.truncate(100 << 20)
    assert tool("sparse_copy", image, disk, "--at-mib", "3").returncode == 0
    with open(disk, "rb") as stream:
        stream.seek(3 << 20)
        assert stream.read(64 << 20) == image.read_bytes()
    assert disk.stat().st_blocks * 512 < 1 << 20


def test_sum_file_is_sha256sum(tool, tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3 << 20))
    theirs = subprocess.run(
        ["sha256sum", "file"], cwd=tmp_path, check=True, text=True, capture_output=True
    ).stdout
    assert tool("write_checksum", path).stdout == theirs
