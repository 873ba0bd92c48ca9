"""No secret is shown of a file, however wrong the file is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbimg_tasks.config import redaction, spans
from kbimg_tasks.config.load import load
from kbimg_tasks.config.model import ARRAYS, TABLES
from kbimg_tasks.diagnostics.excerpt import HIDDEN, MASK, excerpt
from kbimg_tasks.diagnostics.problem import ConfigError
from kbimg_tasks.diagnostics.show import Painter, document
from kbimg_tasks.plan.kinds import KINDS

TOKEN = "hunter2"


def told(folder: Path, text: str) -> str:
    """All messages about a configuration, in every form."""
    (folder / "kbimg.toml").write_text(text, encoding="utf-8")
    try:
        load(Path("kbimg.toml"), folder, KINDS.values())
    except ConfigError as error:
        return "\n".join(
            (
                str(error),
                repr(error.problems),
                document(error.problems),
                *map(Painter().text, error.problems),
            )
        )
    raise AssertionError("no mistake")


@pytest.mark.parametrize(
    "text",
    [
        # One line with a mistake and a secret.
        "users = [{name = 'root', passwd = 'hunter2'}]",
        "users = [{name = 'root', pass = 'hunter2'}]",
        "grub = {passwrd = 'hunter2', passwd = 1}",
        "grub = 'hunter2'",
        "users = ['hunter2', {}]",
        "passwd = 'hunter2'",
        "x.y.z = 'hunter2'",
        "[grubs]\npasswd = 'hunter2'",
        "grubs = {passwd = ['hunter2']}",
        "[grub]\npaswd = 'hunter2'",
        "[grub]\n\"pass wd\" = 'hunter2'",
        "[grub]\npasswd = ['hunter2']",
        "[grub]\npasswd = '''\nhunter2'''",
        "[grub]\npasswd.x = 'hunter2'",
        "[from_repo.grub]\npasswd = 'hunter2'",
        "[from_repo]\nversion.passwd = 'hunter2'",
        "[from_repo]\nrpmlist = [{passwd = 'hunter2'}]",
        "[from_repo]\nroot_passwd = 'hunter2'",
        "[users]\npasswd = 'hunter2'",
        "[[grub]]\npasswd = 'hunter2'",
        "[dm_verity]\nefi_key = 7 # hunter2",
        "[grub] # passwd = 'hunter2'",
        "[from_repo]\nrpmlist = ['', # hunter2\n'']",
        # URLs with passwords.
        "[from_repo]\nrpmlist = ['https://me:hunter2@example.org/a.rpm', '']",
        "[from_repo]\nrpmlist = ['https://me:hunter2@example.org/a b ']",
        "[from_repo]\nrepo_path = 'https://me:hunter2@example.org/os.repo'",
        "[from_repo]\nversion = 'ftp://hunter2@example.org'",
        # No TOML at all.
        "[grub]\npasswd = 'hunter2",
        "[grub]\npasswd = hunter2",
        "[grub]\npasswd 'hunter2'",
        "[grub]\npasswd: 'hunter2'",
        "[grub] passwd = 'hunter2'",
        "[grub]\npasswd = 'x\nhunter2'",
        '[grub]\n"passwd" = \'hunter2',
        '[grub]\n"p\\u0061sswd" = \'hunter2',
        "[grub]\ngrub.passwd = 'hunter2",
        "[from_repo]\nversion = 'v1' passwd = 'hunter2'",
        "[from_repo]\nversion = 'v1' passwd 'hunter2'",
        "[from_repo]\nversion = 'v1'\npasswd 'hunter2'",
        "[from_repo]\nversion = 'v1'\n'hunter2'",
        "users = [{name = 'a' passwd = 'hunter2'}]",
        "[from_repo]\nrpmlist = [\n'a'\npasswd = 'hunter2'",
        "[grub]\npasswd = [\n'x'\n'hunter2']",
        "[grub]\npasswd = '''\nversion = hunter2",
        "[from_repo]\nversion = v1 # hunter2",
        "[grub]\npasswd = 'a'\npasswd = 'hunter2'",
        "[grub]\npasswd = 'a=hunter2",
        "[grub]\nhunter2",
        "[from_repo]\nversion = https://me:hunter2@example.org/",
    ],
)
def test_a_secret_is_never_told(tmp_path, text):
    assert TOKEN not in told(tmp_path, text)


PLAIN = st.sampled_from(["1", "''", "true", "['', 3]", "{a = 1}", "'/x'"])
SECRET = st.sampled_from(
    [
        f"'{TOKEN}'",
        f"['{TOKEN}', {{a = '{TOKEN}'}}]",
        f"{{b = '{TOKEN}'}}",
        f'"""\n{TOKEN}\n"""',
        f"'' # {TOKEN}",
    ]
)
PAIR = st.one_of(
    st.tuples(st.sampled_from(sorted(redaction.PLAIN)), PLAIN),
    st.tuples(st.sampled_from(sorted(redaction.SECRET)), SECRET),
    st.tuples(st.sampled_from(["pasword", "'x y'", "passwd.of.mine"]), SECRET),
)
HEADER = st.sampled_from([*TABLES, *ARRAYS, "other", "from_repo.grub", "users.inner"]).flatmap(
    lambda name: st.sampled_from([f"[{name}]", f"[[{name}]]"])
)


@given(st.lists(st.tuples(HEADER, st.lists(PAIR, max_size=3)), min_size=1, max_size=3))
def test_no_document_gives_a_secret_away(tmp_path_factory, tables):
    text = "".join(
        f"{header}\n" + "".join(f"{key} = {value}\n" for key, value in pairs)
        for header, pairs in tables
    )
    assert TOKEN not in told(tmp_path_factory.getbasetemp(), text + "unknown = 1\n")


def test_what_is_no_secret_is_shown():
    text = (
        "[from_repo] # one\nversion = 'v 1'\nrpmlist = [ 'a', 'http://example.org/b.rpm' ]\n"
        "users = 3\r\n[grub]\npasswd = 'x'   # two\n"
    )
    mask = HIDDEN
    assert redaction.lines(text, spans.scan(text)) == (
        "[from_repo] ",
        "version = 'v 1'",
        "rpmlist = [ 'a', 'http://example.org/b.rpm' ]",
        f"users = {mask}",
        "[grub]",
        f"passwd = {mask * 3}   ",
        "",
    )


def test_what_is_no_secret_is_shown_of_a_broken_file():
    text = (
        "[from_repo\nversion = 'v1' # x\nrpmlist = [\n  'a'\n  'b',\n]\n'c'\nroot_passwd = 'x\n"
        "[[users]]\nuserz = 1\n"
    )
    shown = [line.replace(HIDDEN, "*") for line in redaction.lines_of_broken(text)]
    assert shown == [
        "[from_repo",
        "version = 'v1' ***",
        "rpmlist = [",
        "  'a'",
        "  'b',",
        "]",
        "***",
        "root_passwd = **",
        "[[users]]",
        "*********",
        "",
    ]


def test_what_is_shown_of_a_repository_file():
    text = (
        "[a b] x\nbaseurl = http://x/\n  http://y/?a=b\nfoo bar\n# baseurl = z\n"
        "https://me:pass@x/?y = 1\n"
    )
    shown = [line.replace(HIDDEN, "*") for line in redaction.lines_of_repository(text)]
    assert shown[:2] == ["[a b]**", "baseurl = *********"]
    assert not any(set(line) - {"*"} for line in shown[2:])


@pytest.mark.parametrize(
    ("line", "mark", "text", "marked"),
    [
        ("abc", (1, 2), "abc", "b"),
        ("abc", (3, 4), "abc", ""),
        ("a", (9, 10), "a", ""),
        ("", (0, 1), "", ""),
        ("a\tb\x1bc", (2, 3), "a    b\ufffdc", "b"),
        (f"a = {HIDDEN * 9} b", (4, 13), f"a = {MASK} b", MASK),
        (f"a = {HIDDEN * 9} b", (6, 7), f"a = {MASK} b", MASK),
        (f"a = {HIDDEN * 9} b", (0, 1), f"a = {MASK} b", "a"),
        (f"a = {HIDDEN * 9} b", (2, 9), f"a = {MASK} b", f"= {MASK}"),
        ("x" * 100 + "y" + "z" * 900, (100, 101), "…" + "x" * 40 + "y" + "z" * 79 + "…", "y"),
        ("x" * 1000, (0, 1000), "x" * 120 + "…", "x" * 120),
        (HIDDEN * 1000, (500, 501), "…" + MASK + "…", MASK),
    ],
)
def test_excerpts(line, mark, text, marked):
    found = excerpt(line, *mark)
    assert found.text == text
    assert found.text[found.start : found.end] == marked
    assert found.end > found.start
