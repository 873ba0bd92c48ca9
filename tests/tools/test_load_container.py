"""Loading an archive into a container engine: Podman with its own storage, no mock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import engines
import pytest

from kbimg_tasks.commands.containers import ContainerArchive
from kbimg_tasks.tools import container_archive
from kbimg_tasks.tools.user_error import UserError

NAME = "kbimg-test:v1"


@pytest.fixture
def podman(monkeypatch) -> Iterator[engines.Engine]:
    with engines.podman() as engine:
        for name, value in engine.env.items():
            monkeypatch.setenv(name, value)
        yield engine


def archive(folder: Path, content: str, engine: str, said: list[str]) -> ContainerArchive:
    """An archive of one small file, as a build makes it."""
    (folder / "content").write_text(content)
    container_archive.main(
        [
            str(folder / "image.tar"),
            f"--name={NAME}",
            f"--full-name=docker.io/library/{NAME}",
            "--architecture=amd64",
            "--clock=1700000000",
            f"--file={folder / 'content'}=content",
            f"--digests={folder / 'digests'}",
        ]
    )
    return ContainerArchive(folder / "image.tar", folder / "digests", NAME, engine, said.append)


def test_an_image_is_loaded_once(podman, tmp_path: Path):
    said: list[str] = []
    made = archive(tmp_path, "one", "podman", said)
    assert not made.is_loaded()
    made.load()
    assert made.is_loaded()
    assert said == [f"      {NAME} is in podman: podman images"]
    podman.save_file(NAME, "/content", tmp_path / "saved")
    assert (tmp_path / "saved").read_text() == "one"


def test_another_image_of_the_name_is_not_ours(podman, tmp_path: Path):
    said: list[str] = []
    archive(tmp_path, "one", "podman", said).load()
    other = archive(tmp_path, "two", "podman", said)
    assert not other.is_loaded()
    other.load()
    assert other.is_loaded()


def test_a_damaged_archive(podman, tmp_path: Path):
    made = archive(tmp_path, "one", "podman", [])
    made.archive.write_bytes(made.archive.read_bytes()[:1500])
    with pytest.raises(UserError, match=f"^podman load --quiet --input {made.archive}: "):
        made.load()
    assert not made.is_loaded()


def test_without_an_engine_the_commands_are_printed(tmp_path: Path):
    said: list[str] = []
    made = archive(tmp_path, "one", "none", said)
    made.load()
    assert not made.is_loaded()
    assert said[0].startswith(f"      {NAME}: engine=none disables container engines; ")
    assert f"docker load -i {made.archive}\n" in said[0]


def test_an_engine_that_is_asked_for_and_missing(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    made = archive(tmp_path, "one", "podman", [])
    with pytest.raises(UserError, match=r"^engine=podman: "):
        made.load()
