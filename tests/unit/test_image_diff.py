"""The output of `kbimg diff` for small images with real packages."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from rpms import make_database, make_rpm

from kbimg_tasks.commands.diff import diff as image_diff
from kbimg_tasks.dissect import contents
from kbimg_tasks.dissect.contents import TEXT_BYTES

DATABASE = "usr/share/factory/var/lib/rpm"
TREE: dict[str, Any] = {"etc/hosts": "127.0.0.1 localhost\n", "usr/bin/tool": "v1\n"}


def member(name: str, content: Any = "", **fields: Any) -> tuple[tarfile.TarInfo, bytes | None]:
    """One member: text or bytes are a file's content, None is a directory."""
    info = tarfile.TarInfo(f"./{name}")
    info.mode = 0o644
    data = content.encode() if isinstance(content, str) else content
    if data is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    else:
        info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    if info.type != tarfile.REGTYPE:
        info.size, data = 0, None
    return info, data


def tree_tar(
    path: Path,
    files: dict[str, Any],
    *special: tuple[tarfile.TarInfo, bytes | None],
    top: bool = True,
) -> Path:
    """A root tree's tar of these files and special members."""
    folders = sorted({str(parent) for name in files for parent in Path(name).parents} - {"."})
    members = [member(".", None)] if top else []
    members += [member(name, None) for name in folders]
    members += [member(name, content) for name, content in files.items()]
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in [*members, *special]:
            archive.addfile(info, io.BytesIO(data) if data is not None else None)
    return path


def image_tar(path: Path, *layers: bytes) -> Path:
    """A container image as `docker save` writes it."""
    with tarfile.open(path, "w") as archive:
        manifest = [
            {
                "Config": "c.json",
                "RepoTags": ["a:b"],
                "Layers": [f"{number}/layer.tar" for number in range(len(layers))],
            }
        ]
        for name, data in (
            *((f"{number}/layer.tar", layer) for number, layer in enumerate(layers)),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def diff(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str]:
    status = image_diff.main([str(word) for word in argv])
    found = capsys.readouterr()
    assert found.err == ""
    return status, found.out


def told(capsys: pytest.CaptureFixture[str], old: Path, new: Path) -> dict[str, Any]:
    status, out = diff(capsys, "--json", old, new)
    value = json.loads(out)
    assert status == (0 if value["equal"] else 1)
    return value


def changed(value: dict[str, Any]) -> dict[str, list[str]]:
    return {one["path"]: one["changed"] for one in value["files"]}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "old.tar", tmp_path / "new.tar"


def test_equal_images(two, capsys):
    later = member("usr/bin/other", "x", mtime=5), member("usr/bin/other", "x", mtime=9)
    tree_tar(two[0], TREE, later[0])
    tree_tar(two[1], TREE, later[1])
    status, out = diff(capsys, *two)
    assert (status, out.splitlines()[-1]) == (
        0,
        "equal; packages not compared: no image has a package list",
    )
    assert told(capsys, *two)["equal"] is True


def test_every_kind_of_change(two, capsys):
    capability = {"SCHILY.xattr.security.capability": "\x01\x00\udcff"}
    tree_tar(
        two[0],
        {**TREE, "usr/gone": "bye\n"},
        member("usr/mode", "x"),
        member("usr/owner", "x"),
        member("usr/link", type=tarfile.SYMTYPE, linkname="one"),
        member("usr/kind", "x"),
        member("usr/cap", "x"),
        member("usr/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    )
    tree_tar(
        two[1],
        {**TREE, "usr/bin/tool": "version 2\n", "usr/new/deep/er": "hello\n"},
        member("usr/mode", "x", mode=0o4755),
        member("usr/owner", "x", uid=7, gid=8),
        member("usr/link", type=tarfile.SYMTYPE, linkname="two"),
        member("usr/kind", type=tarfile.SYMTYPE, linkname="x"),
        member("usr/cap", "x", pax_headers=capability),
        member("usr/null", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
    )
    value = told(capsys, *two)
    assert changed(value) == {
        "/usr/bin/tool": ["content"],
        "/usr/cap": ["attributes"],
        "/usr/gone": [],
        "/usr/kind": ["kind"],
        "/usr/link": ["target"],
        "/usr/mode": ["mode"],
        "/usr/new": [],
        "/usr/new/deep": [],
        "/usr/new/deep/er": [],
        "/usr/null": ["target"],
        "/usr/owner": ["owner"],
    }
    assert value["growths"] == [
        {"path": "/usr/bin/tool", "bytes": 7},
        {"path": "/usr/new/deep/er", "bytes": 6},
    ]
    assert value["new"]["bytes"] - value["old"]["bytes"] == 7 + 6 - 4 - 1
    status, out = diff(capsys, *two)
    assert status == 1
    for line in (
        "  - /usr/gone  4 B",
        "  * /usr/bin/tool  content +7 B",
        "  * /usr/mode  mode 0644 -> 4755",
        "  * /usr/owner  owner 0:0 -> 7:8",
        "  * /usr/link  target one -> two",
        "  * /usr/kind  kind file -> link",
        "  * /usr/cap  attributes SCHILY.xattr.security.capability",
        "  * /usr/null  target 1:3 -> 1:5",
        "  + /usr/new  directory, 2 below it, 6 B",
        "files: 11",
    ):
        assert line in out.splitlines()
    assert "/usr/new/deep  " not in out


def test_hard_links(two, capsys):
    """They have the content of their targets, and take no disk space."""
    link = member("usr/bin/same", type=tarfile.LNKTYPE, linkname="./usr/bin/tool")
    tree_tar(two[0], TREE, link)
    tree_tar(two[1], {**TREE, "usr/bin/tool": "v2\n"}, link)
    value = told(capsys, *two)
    assert changed(value) == {"/usr/bin/tool": ["content"], "/usr/bin/same": ["content"]}
    assert value["old"]["bytes"] == sum(map(len, TREE.values()))


def test_configuration(two, capsys):
    big = "line\n" * (TEXT_BYTES // 5)
    tree_tar(two[0], {**TREE, "etc/binary": b"\0a", "etc/big": big, "etc/esc": "a\n"})
    tree_tar(
        two[1],
        {
            **TREE,
            "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
            "etc/binary": b"\0b",
            "etc/big": big + "more\n" * 4,
            "etc/esc": "\x1b[2Jb\n",
        },
    )
    value = told(capsys, *two)
    assert value["configuration"] == [
        {"path": "/etc/big", "untold": "binary or too large"},
        {"path": "/etc/binary", "untold": "binary or too large"},
        {
            "path": "/etc/esc",
            "diff": ["--- old/etc/esc", "+++ new/etc/esc", "@@ -1 +1 @@", "-a", "+\x1b[2Jb"],
        },
        {
            "path": "/etc/hosts",
            "diff": [
                "--- old/etc/hosts",
                "+++ new/etc/hosts",
                "@@ -1 +1,2 @@",
                " 127.0.0.1 localhost",
                "+::1 localhost",
            ],
        },
    ]
    _, out = diff(capsys, *two)
    assert "  +::1 localhost" in out.splitlines()
    assert "\x1b" not in out and r"+\x1b[2Jb" in out
    assert "  /etc/big: changed, not shown: binary or too large" in out.splitlines()


def test_a_line_feed_at_the_end(two, capsys):
    tree_tar(two[0], {**TREE, "etc/end": "a\x0bb\nc\n"})
    tree_tar(two[1], {**TREE, "etc/end": "a\x0bb\nc"})
    assert told(capsys, *two)["configuration"][0]["diff"][2:] == [
        "@@ -1,2 +1,2 @@",
        " a\x0bb",
        "-c",
        "+c",
        r"\ No newline at end of file",
    ]


@pytest.mark.parametrize(
    ("path", "text", "mode"),
    [
        ("etc/shadow", "root:HUSH:1\n", 0o644),
        ("etc/gshadow-", "HUSH\n", 0o644),
        ("etc/grub.d/user.cfg", "HUSH\n", 0o644),
        ("etc/ssh/ssh_host_rsa_key", "HUSH\n", 0o644),
        ("etc/pki/own.key", "HUSH\n", 0o644),
        ("etc/private.conf", "HUSH\n", 0o640),
        ("etc/own.pem", "-----BEGIN RSA PRIVATE KEY-----\nHUSH\n", 0o644),
        ("etc/cloud/cloud.cfg", "plain_text_passwd: HUSH\n", 0o644),
        ("etc/cloud/users", "passwd: $6$salt$HUSH\n", 0o644),
        ("etc/app.json", '{"password": "HUSH"}\n', 0o644),
        ("etc/kubernetes/bootstrap.conf", "    token: HUSH\n", 0o644),
        ("etc/environment", "http_proxy=http://me:HUSH@proxy:3128\n", 0o644),
        ("etc/wifi.conf", "  psk=HUSH\n", 0o644),
        ("etc/kubernetes/admin.conf", "    client-key-data: HUSH\n", 0o644),
        ("etc/app.ini", "api_key = HUSH\n", 0o644),
        ("etc/grub.cfg", "password_pbkdf2 root grub.pbkdf2.sha512.10000.HUSH\n", 0o644),
    ],
)
def test_secrets_are_not_shown(two, capsys, path, text, mode):
    for side, content in zip(two, (text, text + "more\n")):
        tree_tar(side, TREE, member(path, content, mode=mode))
    value = told(capsys, *two)
    assert value["configuration"] == [{"path": f"/{path}", "untold": "may contain a secret"}]
    _, out = diff(capsys, *two)
    assert f"/{path}: changed, not shown" in out
    assert "HUSH" not in out + json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "passwd:         files systemd\n",
        "PasswordAuthentication no\n",
        "keyboard = us\n",
        "auth required pam_unix.so\n",
        "gpgcheck=1\ngpgkey_url\n",
        "baseurl=https://a.b/c@d\n",
    ],
)
def test_what_only_looks_like_a_secret_is_shown(two, capsys, text):
    tree_tar(two[0], TREE, member("etc/x", text))
    tree_tar(two[1], TREE, member("etc/x", text + "more\n"))
    assert told(capsys, *two)["configuration"][0]["diff"][-1] == "+more"


def test_a_file_that_was_private_on_one_side_is_not_shown(two, capsys):
    tree_tar(two[0], TREE, member("etc/x", "HUSH\n", mode=0o600))
    tree_tar(two[1], TREE, member("etc/x", "other\n"))
    assert told(capsys, *two)["configuration"][0]["untold"] == "may contain a secret"


def test_private_content_is_not_even_written_down(two, tmp_path):
    tree_tar(two[0], TREE, member("etc/shadow", "HUSH\n", mode=0))
    (tmp_path / "room").mkdir()
    contents.read(two[0], tmp_path / "room")
    kept = [path.read_text() for path in (tmp_path / "room").iterdir()]
    assert kept == [TREE["etc/hosts"]]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """The files of two package databases."""
    folder = tmp_path_factory.mktemp("databases")
    same = make_rpm(folder, "same", files={"/etc/same": "x"})
    old = [
        same,
        make_rpm(folder, "gone", files={"/etc/gone": "12345"}),
        make_rpm(folder, "newer", "1.0", files={"/etc/newer": "1"}),
    ]
    new = [
        same,
        make_rpm(folder, "added", "3", epoch=2, files={"/etc/added": "123"}),
        make_rpm(folder, "newer", "1.1", files={"/etc/newer": "1234"}),
    ]
    found = []
    for name, rpms in (("old", old), ("new", new)):
        (folder / name).mkdir()
        place = make_database(folder / name, *rpms)
        found.append(
            {
                f"{DATABASE}/{path.name}": path.read_bytes()
                for path in place.iterdir()
                if path.name == "rpmdb.sqlite"
            }
        )
    return found


def test_packages(two, capsys, databases):
    for side, files in zip(two, databases):
        tree_tar(side, {**TREE, **files})
    assert told(capsys, *two)["packages"] == [
        {"name": "added", "old": {}, "new": {"2:3-1.noarch": 3}},
        {"name": "gone", "old": {"1.0-1.noarch": 5}, "new": {}},
        {"name": "newer", "old": {"1.0-1.noarch": 1}, "new": {"1.1-1.noarch": 4}},
    ]
    status, out = diff(capsys, *two)
    assert status == 1
    for line in (
        "packages: 3",
        "  + added 2:3-1.noarch  +3 B",
        "  - gone 1.0-1.noarch  -5 B",
        "  * newer 1.0-1.noarch -> 1.1-1.noarch  +3 B",
    ):
        assert line in out.splitlines()
    assert diff(capsys, two[0], two[0])[1].endswith("\nequal\n")


def test_what_only_lies_where_a_database_would(two, capsys):
    tree_tar(two[0], {**TREE, f"{DATABASE}/.rpm.lock": ""})
    assert told(capsys, two[0], two[0])["packages"] is None


def test_a_database_that_rpm_cannot_read(two, capsys):
    tree_tar(two[0], {**TREE, f"{DATABASE}/rpmdb.sqlite": "no database\n" * 1000})
    assert image_diff.main([str(two[0]), str(two[0])]) == 2
    found = capsys.readouterr()
    assert found.err.startswith(f"kbimg diff: {two[0]}: rpm cannot read the database in it: ")
    assert found.err.count("\n") == 1


def layer(folder: Path, files: dict[str, Any], *special: Any) -> bytes:
    return tree_tar(folder / "layer", files, *special, top=False).read_bytes()


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_upgrade_images(two, tmp_path, capsys, databases, packed):
    """The tree is a tar in a layer; the database in it is also found."""
    for side, files in zip(two, databases):
        inner = tree_tar(tmp_path / "os.tar", {**TREE, **files}).read_bytes()
        image_tar(side, packed(layer(tmp_path, {"os.tar": inner})))
    value = told(capsys, *two)
    assert [one["name"] for one in value["packages"]] == ["added", "gone", "newer"]
    assert changed(value) == {f"/{DATABASE}/rpmdb.sqlite": ["content"]}
    # Against the bare tree of the same image there is no difference.
    assert told(capsys, two[1], tree_tar(tmp_path / "bare.tar", {**TREE, **databases[1]}))["equal"]


def test_layers_over_each_other(two, tmp_path, capsys):
    base = layer(tmp_path, {**TREE, "opt/a": "a", "opt/b": "b", "srv/a": "a", "etc/x": "low\n"})
    image_tar(two[0], base)
    image_tar(
        two[1],
        base,
        layer(tmp_path, {"opt/.wh.a": "", "srv/.wh..wh..opq": "", "srv/c": "c", "etc/x": "high\n"}),
    )
    value = told(capsys, *two)
    assert changed(value) == {"/opt/a": [], "/srv/a": [], "/srv/c": [], "/etc/x": ["content"]}
    assert value["configuration"][0]["diff"][-2:] == ["-low", "+high"]


def output(folder: Path, tree: dict[str, Any], **others: str) -> Path:
    folder.mkdir()
    tree_tar(folder / "kubeos.tar", tree)
    for name, content in others.items():
        (folder / name.replace("_", ".")).write_text(content)
    (folder / ".kbimg").mkdir()
    return folder


def test_output_directories(tmp_path, capsys):
    listed = "# name\tevr\tarch\tsource\tbytes\n{}\t0:1-1\tnoarch\ts\t7\n"
    old = output(
        tmp_path / "old", TREE, packages_txt=listed.format("a"), system_img="one", gone="x"
    )
    new = output(tmp_path / "new", TREE, packages_txt=listed.format("b"), system_img="two!")
    for folder, text in ((old, "{}"), (new, "{ }")):
        (folder / "build-tools.json").write_text(text)
    value = told(capsys, old, new)
    assert value["packages"] == [
        {"name": "a", "old": {"1-1.noarch": 7}, "new": {}},
        {"name": "b", "old": {}, "new": {"1-1.noarch": 7}},
    ]
    assert value["files"] == []
    assert value["results"] == [
        {"name": "gone", "old_bytes": 1, "new_bytes": None},
        {"name": "packages.txt", "old_bytes": 48, "new_bytes": 48},
        {"name": "system.img", "old_bytes": 3, "new_bytes": 4},
    ]
    assert "  * system.img  3 B -> 4 B" in diff(capsys, old, new)[1].splitlines()
    # Those of the programs that built are no part of an image.
    other = output(
        tmp_path / "other", TREE, packages_txt=listed.format("a"), system_img="one", gone="x"
    )
    assert told(capsys, old, other)["equal"]


def test_many_files_are_cut_unless_all_are_asked_for(two, capsys):
    tree_tar(two[0], TREE)
    tree_tar(two[1], {**TREE, **{f"usr/bin/f{number:03}": "x" for number in range(60)}})
    _, out = diff(capsys, *two)
    assert "  20 more, shown by --all" in out.splitlines()
    assert "f059" not in out
    assert "f059" in diff(capsys, "--all", *two)[1]
    assert len(told(capsys, *two)["files"]) == 60


def test_a_tar_without_an_entry_for_its_top(two, capsys):
    tree_tar(two[0], {**TREE, "usr/old": "x"}, top=False)
    tree_tar(two[1], {**TREE, "usr/new": "x", "opt": "x"})
    _, out = diff(capsys, *two)
    lines = [line for line in out.splitlines() if line[:4] in ("  + ", "  - ")]
    assert lines == ["  + /  directory", "  + /opt  1 B", "  + /usr/new  1 B", "  - /usr/old  1 B"]


def test_names_cannot_command_a_terminal(two, capsys):
    tree_tar(two[0], TREE)
    tree_tar(two[1], {**TREE, "usr/\x1b]0;x\x07\n+ fake": "x"})
    _, out = diff(capsys, *two)
    assert r"  + /usr/\x1b]0;x\x07\n+ fake  1 B" in out.splitlines()


def test_bad_input(two, tmp_path, capsys):
    good = tree_tar(two[0], {**TREE, "usr/big": b"x" * 100_000})
    cases = {
        "none": "No such file or directory",
        "text": "expected a complete image",
        "empty": "expected a complete image",
        "cut": "expected a complete image",
        "zip": "expected a complete image",
        "folder": "expected kubeos.tar or upgrade_img.tar or admin_container.tar in this directory",
        "other": "expected a root tree or a container image, found neither",
        "image": "expected a complete image",
    }
    (tmp_path / "text").write_text("no tar\n" * 999)
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(good.read_bytes()[:50_000])
    (tmp_path / "zip").write_bytes(gzip.compress(good.read_bytes())[:300])
    (tmp_path / "folder").mkdir()
    tree_tar(tmp_path / "other", {"readme": "x"})
    image_tar(tmp_path / "image", b"no layer")
    for name, message in cases.items():
        for pair in ((good, tmp_path / name), (tmp_path / name, good)):
            assert image_diff.main([str(path) for path in pair]) == 2, name
            found = capsys.readouterr()
            assert found.out == ""
            assert found.err.startswith(f"kbimg diff: {tmp_path / name}: {message}"), found.err
            assert found.err.count("\n") == 1


def test_as_a_program(two):
    """Also if the reader of its output closes the pipe."""
    tree_tar(two[0], TREE)
    tree_tar(two[1], {**TREE, **{f"usr/bin/{number:0200}": "x" for number in range(2000)}})
    program = [sys.executable, "-m", "kbimg_tasks.commands.diff.diff", "--all", *map(str, two)]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
    ) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith(b"old  23 B in 6 ")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
