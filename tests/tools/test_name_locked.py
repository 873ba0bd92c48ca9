"""A dnf command gets the packages of a lock file, as files if the cache has them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

CONTENT = b"a package file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache of one repository, with a package in it."""
    packages = tmp_path / "cache/repo-1a2b/packages"
    packages.mkdir(parents=True)
    (packages / "one-1.0-1.noarch.rpm").write_bytes(CONTENT)
    return tmp_path / "cache"


@pytest.fixture
def named(tool, cache: Path, tmp_path: Path):
    """The arguments that a command gets for a lock file's rows."""

    def run(*rows: str) -> list[str]:
        lock = tmp_path / "exact.lock"
        lock.write_text("# a comment\n" + "".join(f"{row}\t10\t20\n" for row in rows))
        done = tool("name_locked", lock, cache, "--", "printf", "%s\\n", "install")
        assert done.returncode == 0, done.stderr
        first, *names = done.stdout.splitlines()
        assert first == "install"
        return names

    return run


def test_a_file_with_the_checksum_is_named(named, cache: Path):
    found = str(cache / "repo-1a2b/packages/one-1.0-1.noarch.rpm")
    assert named(f"one-1.0-1.noarch\tsha256:{SHA256}") == [found]
    sha1 = hashlib.sha1(CONTENT).hexdigest()
    assert named(f"one-1.0-1.noarch\tsha1:{sha1}") == [found]


def test_the_epoch_is_not_in_the_files_name(named, cache: Path):
    found = str(cache / "repo-1a2b/packages/one-1.0-1.noarch.rpm")
    assert named(f"one-3:1.0-1.noarch\tsha256:{SHA256}") == [found]


@pytest.mark.parametrize(
    "row",
    [
        f"one-1.0-1.noarch\tsha256:{'0' * 64}",
        "one-1.0-1.noarch\tnone:",
        f"one-1.0-1.noarch\tcrc99:{SHA256}",
        f"two-3:1.0-1.noarch\tsha256:{SHA256}",
    ],
)
def test_any_other_package_is_named_exactly(named, row):
    assert named(row) == [row.split("\t")[0]]


def test_of_two_repositories_the_file_with_the_checksum(named, cache: Path):
    other = cache / "repo-0a0b/packages/o"
    other.mkdir(parents=True)
    (other / "one-1.0-1.noarch.rpm").write_bytes(b"of the same name")
    assert named(f"one-1.0-1.noarch\tsha256:{SHA256}") == [
        str(cache / "repo-1a2b/packages/one-1.0-1.noarch.rpm")
    ]


def test_the_order_is_that_of_the_lock(named):
    rows = [f"{name}-1-1.noarch\tsha256:00" for name in "bca"]
    assert named(*rows) == ["b-1-1.noarch", "c-1-1.noarch", "a-1-1.noarch"]


def test_a_command_that_is_missing(tool, cache: Path, tmp_path: Path):
    (tmp_path / "exact.lock").write_text("")
    done = tool("name_locked", tmp_path / "exact.lock", cache, "--", "no-such-dnf")
    assert done.returncode == 127
    assert done.stderr.startswith("name_locked: ") and "Traceback" not in done.stderr
