"""The exact text of problems, for people and for programs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from kbimg_tasks.config.load import load
from kbimg_tasks.diagnostics.problem import WARNING, ConfigError, Problem
from kbimg_tasks.diagnostics.show import Painter, columns, document
from kbimg_tasks.diagnostics.terminal import may_colour, writable


def problems(folder: Path, text: str):
    (folder / "kbimg.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(Path("kbimg.toml"), folder)
    return caught.value.problems


SHOWN = [
    (
        "[systemd_service]\nname = ['ok', '']  # units\n",
        """\
error: expected the name of a systemd unit, found ""
 --> kbimg.toml:2:15
  |
2 | name = ['ok', '']
  |               ^^ systemd_service.name[1]""",
    ),
    (
        "[chroot_script]\npath = 'x'\nrm = 'true'\n",
        """\
error: expected true or false, found "true"
 --> kbimg.toml:3:6
  |
3 | rm = 'true'
  |      ^^^^^^ chroot_script.rm
help: without quotes""",
    ),
    (
        "\n" * 9 + "[grub]\npaswd = 'hunter2'\n",
        """\
error: unknown option
  --> kbimg.toml:11:1
   |
11 | paswd = ••••••
   | ^^^^^ grub.paswd
help: did you mean passwd?""",
    ),
    (
        "[[users]]\nname = 'a'\n",
        """\
error: the option passwd is missing
 --> kbimg.toml:1:1
  |
1 | [[users]]
  | ^^^^^^^^^ users[0]""",
    ),
    (
        "users = [ {passwd = 'x', name = 'é运维'} ]\n",
        """\
error: expected a user name (a to z, 0 to 9, _ and -), found "é运维"
 --> kbimg.toml:1:33
  |
1 | users = [ {passwd = ••••••, name = 'é运维'} ]
  |                                    ^^^^^^^ users[0].name""",
    ),
    (
        "[chroot_script]\npath\t=\t[\n'x']\n",
        """\
error: expected a path, found a list
 --> kbimg.toml:2:8
  |
2 | path    =    [
  |              ^ chroot_script.path""",
    ),
    (
        "[grub]\npasswd = 7\n",
        """\
error: expected a password on one line, found a number
 --> kbimg.toml:2:10
  |
2 | passwd = ••••••
  |          ^^^^^^ grub.passwd""",
    ),
    (
        "[chroot_script]\npath = 'x",
        """\
error: not TOML: Expected "'"
 --> kbimg.toml:2:10
  |
2 | path = 'x
  |          ^""",
    ),
    (
        "",
        """\
error: expected tables such as [from_repo], found an empty file
 --> kbimg.toml""",
    ),
]


@pytest.mark.parametrize(("text", "wanted"), SHOWN, ids=[row[1].split("\n")[0] for row in SHOWN])
def test_shown(tmp_path, text, wanted):
    (found,) = problems(tmp_path, text)
    assert Painter().text(found) == wanted


def test_what_stands_in_no_file():
    assert Painter().text(Problem.of_no_file("no program dnf")) == "error: no program dnf"
    warning = Problem("a.toml", 3, "grub", "is odd", severity=WARNING)
    assert Painter().text(warning) == "warning: grub: is odd\n --> a.toml:3"


def test_colours_only_where_they_are_asked_for(tmp_path):
    (found,) = problems(tmp_path, SHOWN[1][0])
    text = Painter(has_colours=True).text(found)
    assert text.startswith("\033[1;31merror\033[0m\033[1m: expected true or false")
    assert text.count("\033[0m") * 2 == text.count("\033[")
    assert "\033" not in Painter().text(found)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "0"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"TERM": "xterm"}, True),
        (io.StringIO(), {}, False),
    ],
)
def test_where_colours_are_welcome(stream, environment, wanted):
    assert may_colour(stream, environment) == wanted


def test_for_programs(tmp_path):
    found = [
        *problems(tmp_path, "[grub]\npasswd = '''\n'''\nx = 1\n"),
        Problem.of_no_file("no program dnf"),
    ]
    assert json.loads(document(found)) == [
        {
            "severity": "error",
            "file": "kbimg.toml",
            "line": 2,
            "column": 10,
            "end_line": 3,
            "end_column": 4,
            "option": "grub.passwd",
            "hint": "",
            "message": "expected a password on one line, found empty text",
        },
        {
            "severity": "error",
            "file": "kbimg.toml",
            "line": 4,
            "column": 1,
            "end_line": 4,
            "end_column": 2,
            "option": "grub.x",
            "message": "unknown option",
            "hint": "",
        },
        {
            "severity": "error",
            "file": None,
            "line": None,
            "column": None,
            "end_line": None,
            "end_column": None,
            "option": "",
            "message": "no program dnf",
            "hint": "",
        },
    ]
    assert json.loads(document([])) == []


def test_columns_of_a_terminal():
    assert [columns(text) for text in ("", "ab", "运维", "e\u0301", "…")] == [0, 2, 4, 1, 1]


def test_streams_of_few_letters():
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert writable("a ••", plain) == "a \\u2022\\u2022"
    assert writable("a ••\udcff", io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == "a ••\\udcff"
