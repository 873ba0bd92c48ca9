"""The pages of docs/howto, each followed word by word from the demonstration's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import TOP
from pages import blocks
from reader import Reader, demonstration

PAGES = sorted((TOP / "docs/howto").glob("*.md"))


def is_booted(page: Path) -> bool:
    """Whether a reader of the page starts a machine."""
    return any(block.is_of_the_node for block in blocks(page))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, id=page.stem, marks=pytest.mark.boot if is_booted(page) else pytest.mark.image
        )
        for page in PAGES
    ],
)
def test_it_does_what_it_says(page: Path, repository: Path, tmp_path: Path):
    with Reader(demonstration(tmp_path / "image")) as reader:
        reader.follow(blocks(page))
