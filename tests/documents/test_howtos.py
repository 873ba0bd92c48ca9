"""The pages of docs/howto, each followed literally from the demonstration's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import TOP
from pages import blocks
from reader import Reader, demonstration, starts_a_node

PAGES = sorted((TOP / "docs/howto").glob("*.md"))


def with_a_node(page: Path) -> bool:
    """Whether the page boots a machine."""
    return any(map(starts_a_node, blocks(page)))


@pytest.mark.image
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_does_what_it_says(page: Path, repository: Path, tmp_path: Path):
    """Everything except the commands on a node."""
    with Reader(demonstration(tmp_path / "image")) as reader:
        reader.follow(blocks(page), boots=False)


@pytest.mark.boot
@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "page", [page for page in PAGES if with_a_node(page)], ids=lambda page: page.stem
)
def test_its_node_does_what_it_says(page: Path, repository: Path, tmp_path: Path):
    with Reader(demonstration(tmp_path / "image")) as reader:
        reader.follow(blocks(page))
