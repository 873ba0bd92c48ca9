"""Repository files: what is read, and all error messages of bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbimg_tasks.config.repo_file import repositories
from kbimg_tasks.config.repository import Repository
from kbimg_tasks.diagnostics.problem import ConfigError
from kbimg_tasks.diagnostics.show import Painter

SEVERAL = """# openEuler
[main]
proxy = http://user:hunter2@proxy.example:3128/

[OS]
name = openEuler $releasever - everything
baseurl = https://user:hunter2@repo.example/$releasever/$basearch/,
          file:///srv/mirror
enabled=1
gpgcheck=1
gpgkey=file:///etc/pki/RPM-GPG-KEY
proxy_password = hunter2

; one that is off
[EPOL]
baseurl=https://repo.example/EPOL%20main/
enabled = No
[links]
mirrorlist=https://repo.example/mirrors
metalink=https://repo.example/${arch}
gpgcheck=false
"""
ADDRESS = "expected addresses such as https://repo.openeuler.org/, found another"


def test_several_repositories(tmp_path: Path):
    path = tmp_path / "os.repo"
    path.write_text(SEVERAL)
    found = repositories(path)
    assert found == (
        Repository(
            "OS",
            ("https://user:hunter2@repo.example/$releasever/$basearch/", "file:///srv/mirror"),
            None,
            None,
            True,
        ),
        Repository("EPOL", ("https://repo.example/EPOL%20main/",), None, None, False),
        Repository(
            "links", (), "https://repo.example/mirrors", "https://repo.example/${arch}", True
        ),
    )


BAD = [
    ("", [": expected an enabled repository, found none"]),
    ("[main]\ngpgcheck=1\n", [": expected an enabled repository, found none"]),
    ("[a]\nname = x\n", [":1: [a]: expected one of baseurl, mirrorlist and metalink, found none"]),
    ("\n[a]\nbaseurl = http://x/\nenabled = 0\n", [": expected an enabled repository, found none"]),
    ("# x\nbaseurl = x\n", [":2: expected a section such as [openEuler] before anything else"]),
    ("[a]\nbaseurl = http://x/\n[a]\nbaseurl = http://y/\n", [":3: [a]: given twice"]),
    ("[a]\nbaseurl = http://x/\nbaseurl = http://y/\n", [":3: [a] baseurl: given twice"]),
    (
        "[a]\nbaseurl = http://x/\npassword hunter2\nx\n",
        [":3: expected name=value, found no =", ":4: expected name=value, found no ="],
    ),
    ("[a]\nbaseurl = hunter2\n", [f":2: [a] baseurl: {ADDRESS}"]),
    ("[a]\nbaseurl = http://[x/\n", [f":2: [a] baseurl: {ADDRESS}"]),
    (
        "[a]\nbaseurl = http://x/\n\n[b]\nname=b\nmirrorlist = ssh://x\nenabled = maybe\n",
        [f":6: [b] mirrorlist: {ADDRESS}", ":7: [b] enabled: expected 0 or 1, found neither"],
    ),
    (
        "[a b]\nbaseurl = http://x/\n[c]\n",
        [
            ':1: [a b]: expected a repository\'s name of letters, digits and - _ . :, found "a b"',
            ":3: [c]: expected one of baseurl, mirrorlist and metalink, found none",
        ],
    ),
    (
        "[DEFAULT]\nbaseurl = http://x/\n[a]\n",
        [":3: [a]: expected one of baseurl, mirrorlist and metalink, found none"],
    ),
    (
        "\ufeff[a]\nbaseurl = http://x/\n",
        [":1: expected a section such as [openEuler] before anything else"],
    ),
]


@pytest.mark.parametrize(("text", "messages"), BAD, ids=[row[1][0][:60] for row in BAD])
def test_bad_repository_file(text, messages, tmp_path: Path):
    path = tmp_path / "os.repo"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        repositories(path, "os.repo")
    assert str(caught.value).splitlines() == [f"os.repo{message}" for message in messages]
    assert "hunter2" not in repr(caught.value.problems)


def test_places_are_underlined_and_values_hidden(tmp_path: Path):
    path = tmp_path / "os.repo"
    path.write_text("[a b]\nbaseurl = ssh://me:hunter2@x/ \n[c]\nbaseurl=/x\npassword: hunter2\n")
    with pytest.raises(ConfigError) as caught:
        repositories(path, "os.repo")
    assert [Painter().text(problem).splitlines()[1:] for problem in caught.value.problems] == [
        [" --> os.repo:5:1", "  |", "5 | ••••••", "  | ^^^^^^"]
    ]
    path.write_text(path.read_text().replace("password: hunter2\n", ""))
    with pytest.raises(ConfigError) as caught:
        repositories(path, "os.repo")
    assert [Painter().text(problem).splitlines()[1:] for problem in caught.value.problems] == [
        [" --> os.repo:1:1", "  |", "1 | [a b]", "  | ^^^^^ [a b]"],
        [" --> os.repo:2:11", "  |", "2 | baseurl = ••••••", "  |           ^^^^^^ [a b] baseurl"],
    ]


def test_files_that_cannot_be_read(tmp_path: Path):
    path = tmp_path / "os.repo"
    for wanted in (
        "cannot be read: No such file or directory",
        "expected UTF-8, found the byte 0xff",
    ):
        with pytest.raises(ConfigError, match=wanted):
            repositories(path)
        path.write_bytes(b"[a]\nbaseurl=\xff\n")


PIECES = st.sampled_from(
    [
        "[a]",
        "[b]",
        "[]",
        "[main]",
        "baseurl",
        "enabled",
        "=",
        "http://x/",
        " ",
        "\n",
        "\n ",
        "\r\n",
        "#",
        "0",
        "%",
        "[",
        ":",
    ]
)


@given(
    st.one_of(
        st.binary(max_size=80),
        st.lists(PIECES | st.text(max_size=3), max_size=20).map(
            lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")
        ),
    )
)
def test_never_a_traceback(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.repo"
    path.write_bytes(content)
    try:
        assert repositories(path)
    except ConfigError as error:
        assert str(error)
        assert all(Painter().text(problem) for problem in error.problems)
