"""docs/tutorial.md, followed literally."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import TOP
from pages import blocks
from reader import Reader, checkout

pytestmark = pytest.mark.timeout(1800)


def follow(folder: Path, *, boots: bool) -> None:
    with Reader(checkout(folder / "kbimg")) as reader:
        reader.follow(blocks(TOP / "docs/tutorial.md"), boots=boots)


@pytest.mark.image
def test_it_leads_to_what_it_says(repository: Path, tmp_path: Path):
    follow(tmp_path, boots=False)


@pytest.mark.boot
@pytest.mark.long
def test_the_node_does_what_it_says(repository: Path, tmp_path: Path):
    follow(tmp_path, boots=True)
