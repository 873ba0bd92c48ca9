"""Spec files."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbimg_tasks.demo_repo.definitions import Attributes
from kbimg_tasks.demo_repo.spec import PackagedFile, Rpm, file_line, pattern, render
from kbimg_tasks.demo_repo.versions import Version

OWNER = Attributes(0o644)
RPM = Rpm("tiny", Version(1, "2", "3"), "noarch", "100% tiny", "%files is a word\nhere")


def test_plain_names_stay() -> None:
    assert pattern("/usr/lib/libstdc++.so.6_a-b,c@d") == "/usr/lib/libstdc++.so.6_a-b,c@d"
    assert pattern("/usr/share/Főtanúsítvány.crt") == "/usr/share/Főtanúsítvány.crt"


@pytest.mark.parametrize("character", list(" []{}*?\\\"'%()!$`|<>\t"))
def test_what_rpm_would_read_otherwise_becomes_any_character(character: str) -> None:
    assert pattern(f"/a{character}b") == "/a?b"


@given(
    st.text(st.characters(blacklist_characters="\0\n", blacklist_categories=("Cs",)), min_size=1)
)
def test_a_pattern_finds_its_own_file(name: str) -> None:
    assert fnmatchcase(name, pattern(name))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (PackagedFile("/a", "file", OWNER), '%attr(0644,root,root) "/a"'),
        (PackagedFile("/a", "link", OWNER), '%attr(-,root,root) "/a"'),
        (
            PackagedFile("/a", "directory", Attributes(0o1777, "u", "g")),
            '%dir %attr(1777,u,g) "/a"',
        ),
        (
            PackagedFile("/etc/a", "file", OWNER, config=True),
            '%config(noreplace) %attr(0644,root,root) "/etc/a"',
        ),
        (PackagedFile("/etc/a", "link", OWNER, config=True), '%attr(-,root,root) "/etc/a"'),
        (PackagedFile("/a", "file", OWNER, ghost=True), '%ghost %attr(0644,root,root) "/a"'),
        (
            PackagedFile("/a", "file", Attributes(0o755, "root", "root", "cap_net_raw=ep")),
            '%caps(cap_net_raw=ep) %attr(0755,root,root) "/a"',
        ),
        (
            PackagedFile("/usr/share/doc/a/copyright", "file", OWNER),
            '%license %attr(0644,root,root) "/usr/share/doc/a/copyright"',
        ),
    ],
)
def test_lines_of_files(entry: PackagedFile, line: str) -> None:
    assert file_line(entry) == line


def test_text_cannot_become_a_macro_or_a_section() -> None:
    text = render(RPM, [], {"post": "echo %{name}\n"})
    assert "Summary: 100%% tiny" in text
    assert "\n %%files is a word\n" in text
    assert "\n%post\necho %%{name}\n" in text
    assert text.endswith("\n%files\n")


def test_files_are_sorted_and_the_epoch_is_stated() -> None:
    text = render(RPM, [PackagedFile("/b", "file", OWNER), PackagedFile("/a", "file", OWNER)], {})
    assert text.index('"/a"') < text.index('"/b"')
    assert "\nEpoch: 1\n" in text
    assert "BuildArch: noarch" in text


def test_what_is_provided_has_a_version_unless_it_is_a_path() -> None:
    rpm = Rpm(
        "a",
        Version(0, "1", "2"),
        "x86_64",
        "s",
        "d",
        provides=("vi", "/bin/sh"),
        requires_first=("setup",),
    )
    text = render(rpm, [], {"posttrans": "true\n"})
    assert "Provides: vi = 1-2" in text
    assert "Provides: /bin/sh\n" in text
    assert "Requires(posttrans): setup\nRequires(pre): setup" in text
    assert "BuildArch" not in text
