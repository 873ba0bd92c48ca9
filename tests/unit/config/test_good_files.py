"""Valid configurations, including the examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbimg_tasks.config import model
from kbimg_tasks.config.load import load
from kbimg_tasks.config.secret import Hidden
from kbimg_tasks.plan.kinds import KINDS

TOP = Path(__file__).resolve().parents[3]
EXAMPLES = sorted(path.relative_to(TOP) for path in (TOP / "config").rglob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_examples_parse(path):
    config = load(path, TOP)
    assert config.path == TOP / path


def test_every_table_has_an_example():
    texts = "".join((TOP / path).read_text() for path in EXAMPLES)
    for name in (*model.TABLES, *model.ARRAYS):
        assert f"[{name}]" in texts


def test_full_example():
    config = load(Path("config/full.toml"), TOP)
    assert config.from_repo.rpmlist[0] == "NetworkManager"
    assert config.users[0].groups == ("admin", "wheel")
    assert config.users[1].primary_group is None
    assert config.copy_files[1].mode == 0o640
    assert (config.disk_partition.root_mib, config.disk_partition.image_gib) == (3000, 30)
    problem = config.problem(("copy_files", 1, "dst"), "wrong")
    assert problem.file == "config/full.toml"
    text = (TOP / "config/full.toml").read_text().splitlines()
    assert text[problem.line - 1] == 'dst = "/etc/bar.txt"'


def test_both_spellings_of_the_primary_group(tmp_path: Path):
    for name in ("primary_group", "primary_groups"):
        (tmp_path / "c").write_text(f"[[users]]\nname='a'\npasswd='x'\n{name}='users'\n")
        assert load(Path("c"), tmp_path).users[0].primary_group == "users"


def test_paths_where_the_command_started_come_first(tmp_path: Path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/c").write_text("[chroot_script]\npath = 'x'\n")
    for place, wanted in ((tmp_path / "conf/x", "conf/x"), (tmp_path / "x", "x")):
        place.touch()
        assert load(Path("conf/c"), tmp_path).chroot_script.path == tmp_path / wanted


def test_paths_are_walked_as_the_kernel_does(tmp_path: Path):
    (tmp_path / "real/inner").mkdir(parents=True)
    (tmp_path / "real/file").touch()
    (tmp_path / "link").symlink_to("real/inner")
    (tmp_path / "named").symlink_to("real/file")
    for name, wanted in (
        ("link/../file", "real/file"),
        ("named", "named"),
        ("-x", "-x"),
        ("real/../real/", "real"),
    ):
        (tmp_path / "c").write_text(f"[[copy_files]]\nsrc = '{name}'\ndst = '/x'\n")
        assert load(Path("c"), tmp_path).copy_files[0].src == tmp_path / wanted


def test_rpm_files_are_told_by_their_full_paths(tmp_path: Path):
    for name in ("a.rpm", "b c.rpm"):
        (tmp_path / name).touch()
    (tmp_path / "r").write_text("[a]\nbaseurl=http://x/\n")
    (tmp_path / "c").write_text(
        "[from_repo]\nagent_path='r'\nrepo_path='r'\nroot_passwd='*'\nversion='1'\n"
        "rpmlist=['a.rpm', './b c.rpm', 'https://example.org/c.rpm', 'rpm']\n"
    )
    assert load(Path("c"), tmp_path, (KINDS["vm_img"],)).from_repo.rpmlist == (
        f"{tmp_path}/a.rpm",
        f"{tmp_path}/b c.rpm",
        "https://example.org/c.rpm",
        "rpm",
    )


def test_secrets_are_never_shown(tmp_path: Path):
    (tmp_path / "c").write_text(
        "[[users]]\nname='a'\npasswd='hunter2'\n[grub]\npasswd='hunter2'\n"
        "[dm_verity]\nefi_key='hunter2'\ngrub_key='hunter2'\n"
    )
    config = load(Path("c"), tmp_path)
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)
    assert config.grub.passwd.reveal() == "hunter2"
    assert hash(config.grub.passwd) == hash(Hidden("other"))
    assert config.grub.passwd != Hidden("other")
    assert config == load(Path("c"), tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "kernel-6.1*",
        "@core",
        "/usr/bin/vi",
        "tar-0:1.34-1.x86_64",
        "glibc(x86-64)",
        "https://example.org/a.rpm",
        "foo >= 3",
        "gcc-c++",
        "*kernel?",
        "@Development Tools",
        "(a or b)",
        "libstdc++-12.3.1-1.oe2403.x86_64",
    ],
)
def test_package_names(tmp_path: Path, name):
    (tmp_path / "c").write_text(
        "[from_repo]\nagent_path='a'\nrepo_path='r'\nroot_passwd='*'\nversion='1'\n"
        f"rpmlist=['{name}']\n"
    )
    assert load(Path("c"), tmp_path).from_repo.rpmlist == (name,)


@pytest.mark.parametrize(
    "hash_",
    [
        "*",
        "!!",
        "!",
        "$1$xyz$RdLyKTL32WEvK3lg8CXID0",
        "$5$rounds=5000$a$b",
        "$6$a+b=$/.",
        "$y$j9T$a$b",
        "$2b$05$abc",
        "$gy$a$b",
        "$7$a$b",
        "!$6$a$b",
    ],
)
def test_password_hashes(tmp_path: Path, hash_):
    (tmp_path / "c").write_text(
        "[from_repo]\nagent_path='a'\nrepo_path='r'\nversion='1'\nrpmlist=['a']\n"
        f"root_passwd='{hash_}'\n"
    )
    assert load(Path("c"), tmp_path).from_repo.root_passwd.reveal() == hash_


def test_names_on_persist_are_plain(tmp_path: Path):
    (tmp_path / "c").write_text("[persist_mkdir]\nname = ['a/b/', './c', 'd//e', 'f g']\n")
    assert load(Path("c"), tmp_path).persist_mkdir.name == ("a/b", "c", "d/e", "f g")


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "kubeos-upgrade:v1",
        "localhost:5000/a/b_c:latest",
        "example.org/a--b.c:V1.x",
        "a@sha256:" + "0" * 64,
    ],
)
def test_image_names(tmp_path: Path, name):
    (tmp_path / "c").write_text(f"[from_dockerimg]\nupgrade_img='{name}'\n")
    assert load(Path("c"), tmp_path).from_dockerimg.upgrade_img == name
