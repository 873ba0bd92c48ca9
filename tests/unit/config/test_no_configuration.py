"""Files that are not configurations, and names without a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbimg_tasks.config.load import load
from kbimg_tasks.diagnostics.problem import ConfigError

NOTHING = [
    (None, ": no such configuration file; name one with config=FILE, or with kbimg's -f FILE"),
    (b"[from_repo", ":1: not TOML: Expected ']' at the end of a table declaration"),
    (b"a = 1\nb = ", ":2: not TOML: Invalid value"),
    (b"a = 1\na = 2\n", ":2: not TOML: Cannot overwrite a value"),
    (b"[grub]\n[dm_verity]\n[grub]\n", ":3: not TOML: Cannot declare ('grub',) twice"),
    (b"[grub]\npasswd = 'hunter2\n", ':2: not TOML: Expected "\'"'),
    (b"[grub]\r\npasswd = hunter2\r\n", ":2: not TOML: Invalid value"),
    (
        b"\xef\xbb\xbfa = 1\n",
        ":1: expected TOML, found a byte order mark before it; save as UTF-8 without BOM",
    ),
    (b"a = 1\nb = '\xff'\n", ":2: expected UTF-8, as TOML demands, found the byte 0xff"),
    (b"\xff\xfea\x00", ":1: expected UTF-8, as TOML demands, found the byte 0xff"),
    (b"a = " + b"[" * 100_000, ": not a configuration: nested too deeply"),
    (b"a = " + b"{a=" * 395 + b"1" + b"}" * 395, ": not a configuration: nested too deeply"),
    (b"\na = " + b"9" * 10_000, ":2: not a configuration: an integer out of range"),
    (b"#" * (2 << 20), ": expected a configuration, found more than 1048576 bytes"),
]


@pytest.mark.parametrize(("content", "message"), NOTHING, ids=[row[1][:60] for row in NOTHING])
def test_files_that_are_no_configuration(content, message, tmp_path: Path):
    if content is not None:
        (tmp_path / "kbimg.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(Path("kbimg.toml"), tmp_path)
    assert str(caught.value) == "kbimg.toml" + message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", ".: expected a configuration file, found a directory"),
        ("/dev/null", "/dev/null: expected a configuration file, found a device or pipe"),
        ("a\0b", "a\0b: cannot be read: no name has a zero byte"),
        ("a" * 300, "a" * 300 + ": cannot be read: File name too long"),
        ("file/kbimg.toml", "file/kbimg.toml: cannot be read: Not a directory"),
    ],
)
def test_names_that_are_no_configuration(name, message, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        load(Path(name), tmp_path)
    assert str(caught.value) == message


def test_the_file_is_named_as_the_user_would_type_it(tmp_path: Path):
    start, elsewhere = tmp_path / "start", tmp_path / "elsewhere"
    for folder in (start, elsewhere):
        folder.mkdir()
        (folder / "k.toml").write_text("x = 1\n")
    for path, shown in (
        (start / "k.toml", "k.toml"),
        (Path("./k.toml"), "k.toml"),
        (Path("../elsewhere/k.toml"), "../elsewhere/k.toml"),
        (elsewhere / "k.toml", f"{elsewhere}/k.toml"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(path, start)
        assert str(caught.value) == f"{shown}:1: x: unknown option"
