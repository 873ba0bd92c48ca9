"""The indexes of repositories: which have changed since the packages were resolved."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import web

from kbimg_tasks.build import repomd
from kbimg_tasks.config.repository import Repository
from kbimg_tasks.config.secret import Hidden


@pytest.fixture
def server(tmp_path: Path) -> Iterator[web.Server]:
    """Serves the indexes of the repositories `one` and `two`."""
    for name in ("one", "two"):
        (tmp_path / "served" / name).mkdir(parents=True)
        (tmp_path / "served" / name / "repomd.xml").write_text(f"<{name}/>")
    made = web.Server(tmp_path / "served")
    yield made
    made.stop()


@pytest.fixture
def changed(server: web.Server, tmp_path: Path):
    """Check whether the indexes have changed. Returns the answer and the warnings."""
    listing = tmp_path / "indexes"
    listing.write_text(
        "".join(
            f"{name}\thttp://127.0.0.1:{server.port}/{name}/repomd.xml\t{sha256}\n"
            for name in ("one", "two")
            for sha256 in [hashlib.sha256(f"<{name}/>".encode()).hexdigest()]
        )
    )

    def ask(*repositories: Repository) -> tuple[tuple[str, ...], list[str]]:
        warnings: list[str] = []
        return repomd.changed(listing, repositories, warnings.append), warnings

    return ask


def test_an_index_that_changed(changed, server, tmp_path):
    assert changed() == ((), [])
    assert sorted(server.asked) == ["/one/repomd.xml", "/two/repomd.xml"]
    (tmp_path / "served/two/repomd.xml").write_text("<newer/>")
    assert changed() == (("two",), [])


def test_one_that_does_not_answer_counts_as_unchanged(changed, tmp_path):
    (tmp_path / "served/one/repomd.xml").unlink()
    (tmp_path / "served/two/repomd.xml").write_text("<newer/>")
    found, (warning,) = changed()
    assert found == ("two",)
    assert "one: File not found" in warning
    assert "two: " not in warning


def test_all_that_do_not_answer_are_in_one_warning(changed, server):
    server.stop()
    found, (warning,) = changed()
    assert found == ()
    assert "one: " in warning and "two: " in warning and "offline=1" in warning


def test_a_slow_answer_is_not_waited_for(changed, server, monkeypatch, tmp_path):
    monkeypatch.setattr(repomd, "TIMEOUT_SECONDS", 0.2)
    slow = web.Server(tmp_path / "served", seconds=1)
    listing = tmp_path / "indexes"
    listing.write_text(listing.read_text().replace(str(server.port), str(slow.port)))
    found, (warning,) = changed()
    assert found == () and "timed out" in warning
    slow.stop()


def test_no_record_of_indexes_asks_nobody(tmp_path):
    assert repomd.changed(tmp_path / "missing", (), pytest.fail) == ()
    (tmp_path / "empty").write_text("")
    assert repomd.changed(tmp_path / "empty", (), pytest.fail) == ()


def test_a_repository_with_a_password(changed, server):
    """Basic authentication, for the repository that has it and no other."""
    one = Repository("one", (), None, None, True, "me", Hidden("a secret"))
    assert changed(one) == ((), [])
    assert server.authorizations == {
        "/one/repomd.xml": "Basic " + base64.b64encode(b"me:a secret").decode(),
        "/two/repomd.xml": None,
    }
