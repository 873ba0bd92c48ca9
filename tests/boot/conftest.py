"""Nodes that several tests use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import saved
import secure_boot
import shared
import verified
from console import Node


@pytest.fixture(scope="session")
def next_version(verified_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verified image's next version, signed with the same keys."""

    def make(folder: Path) -> None:
        verified.build_next(folder, verified_image / "keys")

    return shared.made(tmp_path_factory, "next-version", make) / "scripts-auto"


@pytest.fixture(scope="session")
def resume(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Path], Node]:
    """A function that resumes, in a folder, a node of the image that a fixture builds."""

    def resumed(image: str, folder: Path) -> Node:
        kind, out = saved.KINDS[image], request.getfixturevalue(image)

        def prepare(disk: Path) -> None:
            if kind.is_verified:
                secure_boot.keep_for_later(request.getfixturevalue("next_version"), disk)

        def make(place: Path) -> None:
            saved.save(kind, out, place, prepare)

        made = shared.made(tmp_path_factory, f"node-{image}", make)
        return saved.resume(kind, out, made, folder)

    return resumed


@pytest.fixture(scope="module", params=list(saved.KINDS))
def image(request: pytest.FixtureRequest) -> str:
    """The image kinds with the same expected behaviour."""
    return request.param


@pytest.fixture(scope="module")
def node(
    image: str, resume: Callable[[str, Path], Node], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """A node of the customised image, logged in as root."""
    with resume(image, tmp_path_factory.mktemp("node")) as running:
        yield running
