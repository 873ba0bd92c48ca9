"""Lock files: written completely, and refused with the wrong line."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbimg_tasks.build import lock_file

ROWS = "a-1.0-1.noarch\tsha256:0af9\t10\t1700000000\nb-2:1.0-1.x86_64\tnone:\t0\t0\n"
EXPECTED = "a package, its checksum, installed bytes and build time, separated by tabs"


def test_what_is_written_is_accepted(tmp_path: Path):
    (tmp_path / "packages.lock").write_text(ROWS)
    lock_file.write(tmp_path / "exact.lock", tmp_path / "packages.lock")
    first, *rows = (tmp_path / "exact.lock").read_text().splitlines()
    assert first.startswith("# ")
    assert rows == ROWS.splitlines()
    assert lock_file.problems(tmp_path / "exact.lock") == ()


def test_a_failed_write_leaves_the_file_that_was_there(tmp_path: Path):
    (tmp_path / "exact.lock").write_text("before\n")
    with pytest.raises(FileNotFoundError):
        lock_file.write(tmp_path / "exact.lock", tmp_path / "packages.lock")
    assert (tmp_path / "exact.lock").read_text() == "before\n"


def test_comments_and_empty_lines_are_allowed(tmp_path: Path):
    (tmp_path / "exact.lock").write_text(f"# mine\n\n{ROWS}\n# end\n")
    assert lock_file.problems(tmp_path / "exact.lock") == ()


@pytest.mark.parametrize(
    "row",
    [
        "kernel",
        "a-1.0-1.noarch sha256:0af9 10 20",
        "a-1.0.noarch\tsha256:0af9\t10\t20",
        "a-1.0-1.noarch\tsha256:0AF9\t10\t20",
        "a-1.0-1.noarch\tsha256:\t10\t20",
        "a-1.0-1.noarch\tsha256:0af9\t10",
        "a-1.0-1.noarch\tsha256:0af9\t-1\t20",
        "../a-1.0-1.noarch\tsha256:0af9\t10\t20",
        "a-1.0-1.noarch\tsha256:0af9\t10\t20\tmore",
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row):
    path = tmp_path / "exact.lock"
    path.write_text(f"# mine\n{ROWS}{row}\n")
    assert lock_file.problems(path) == (f'lock=: {path}:4: expected {EXPECTED}, found "{row}"',)


def test_every_bad_line_is_named(tmp_path: Path):
    (tmp_path / "exact.lock").write_text(f"x\n{ROWS}y\n")
    assert len(lock_file.problems(tmp_path / "exact.lock")) == 2


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n"])
def test_a_file_without_a_package(tmp_path: Path, text):
    path = tmp_path / "exact.lock"
    path.write_text(text)
    assert lock_file.problems(path) == (
        f"lock=: {path}: expected {EXPECTED} on each line, found no line",
    )


def test_a_file_that_cannot_be_read(tmp_path: Path):
    (missing,) = lock_file.problems(tmp_path / "exact.lock")
    assert "No such file or directory; doit write_lock lock=" in missing
    (tmp_path / "exact.lock").write_bytes(b"\xff\xfe")
    (binary,) = lock_file.problems(tmp_path / "exact.lock")
    assert "it is not UTF-8 text; doit write_lock lock=" in binary
