"""Configurations that are right, the examples among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbimg_tasks.config import model
from kbimg_tasks.config.errors import ConfigError
from kbimg_tasks.config.load import load

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
    assert config.where("copy_files[1].dst").startswith("config/full.toml:")
    text = (TOP / "config/full.toml").read_text().splitlines()
    line = int(config.where("copy_files[1].dst").rpartition(":")[2])
    assert text[line - 1] == 'dst = "/etc/bar.txt"'


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


def test_secrets_are_never_shown(tmp_path: Path):
    (tmp_path / "c").write_text(
        "[[users]]\nname='a'\npasswd='hunter2'\n[grub]\npasswd='hunter2'\n"
        "[dm_verity]\nefi_key='hunter2'\ngrub_key='hunter2'\n")
    config = load(Path("c"), tmp_path)
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)
    assert config.grub.passwd.reveal() == "hunter2"


@pytest.mark.parametrize("name", [
    "kernel-6.1*", "@core", "/usr/bin/vi", "tar-0:1.34-1.x86_64", "glibc(x86-64)",
    "https://example.org/a.rpm", "foo >= 3", "gcc-c++", "*kernel?"])
def test_package_names(tmp_path: Path, name):
    (tmp_path / "c").write_text(
        "[from_repo]\nagent_path='a'\nrepo_path='r'\nroot_passwd='*'\nversion='1'\n"
        f"rpmlist=['{name}']\n")
    assert load(Path("c"), tmp_path).from_repo.rpmlist == (name,)


@pytest.mark.parametrize("name", [
    "a", "kubeos-upgrade:v1", "localhost:5000/a/b_c:latest", "example.org/a--b.c:V1.x",
    "a@sha256:" + "0" * 64])
def test_image_names(tmp_path: Path, name):
    (tmp_path / "c").write_text(f"[from_dockerimg]\nupgrade_img='{name}'\n")
    assert load(Path("c"), tmp_path).from_dockerimg.upgrade_img == name


def outcome(folder: Path, content: bytes) -> None:
    """A configuration or one tidy refusal; anything else fails the test."""
    (folder / "kbimg.toml").write_bytes(content)
    try:
        load(Path("kbimg.toml"), folder, ("vm_img", "pxe_img", "upgrade_img", "admin_container"))
    except ConfigError as error:
        assert str(error)
        assert all(line.startswith("kbimg.toml") for line in str(error).splitlines())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any")


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(folder, content):
    outcome(folder, content)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_damaged_example_ends_in_a_traceback(folder, data):
    text = (TOP / "config/full.toml").read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 30))
        text = text[:place] + data.draw(st.text(max_size=8)) + text[place + length:]
    outcome(folder, text.encode("utf-8", "surrogatepass"))


LEAVES = st.one_of(
    st.text(max_size=12), st.integers(), st.booleans(), st.floats(), st.dates(), st.datetimes(),
    st.sampled_from(["/etc", "kernel", "a:1", "10.0.0.1", "$6$a$b", "-x", "wheel", "\u2028"]))
VALUES = st.recursive(LEAVES, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6)
KEYS = sorted({name for kind in (*model.TABLES.values(), *model.ARRAYS.values())
               for attribute in kind.__attrs_attrs__
               for name in (attribute.metadata["key"] or attribute.name,
                            *attribute.metadata["also"])})
TABLE = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), VALUES, max_size=8)


def toml(value) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" if not 0xD800 <= ord(character) < 0xE000
                             else "?" for character in value) + '"'
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from([*model.TABLES, *model.ARRAYS]),
                       st.one_of(TABLE, st.lists(TABLE, max_size=2), VALUES), max_size=6))
def test_no_document_ends_in_a_traceback(folder, document):
    text = "".join(f"{toml(name)} = {toml(value)}\n" for name, value in document.items())
    outcome(folder, text.encode())
