"""docs/tutorial.md, followed literally."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import TOP
from pages import blocks
from reader import Reader, checkout

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]


def test_it_leads_to_what_it_says(repository: Path, tmp_path: Path):
    with Reader(checkout(tmp_path / "kbimg")) as reader:
        reader.follow(blocks(TOP / "docs/tutorial.md"))
