"""Links between pages lead to existing files and headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from building import TOP
from markdown_it import MarkdownIt
from markdown_it.token import Token

PAGES = sorted((*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")))
INDEX = TOP / "docs/README.md"


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def targets(page: Path) -> set[str]:
    """The targets of a page's links and pictures within this repository."""
    found = {
        str(child.attrs.get("href") or child.attrs.get("src") or "")
        for token in tokens(page)
        for child in token.children or ()
        if child.type in ("link_open", "image")
    }
    return {target for target in found if not re.match(r"[a-z]+:", target)}


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found = tokens(page)
    texts = (
        "".join(child.content for child in text.children or ())
        for heading, text in zip(found, found[1:])
        if heading.type == "heading_open"
    )
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path):
    for target in targets(page):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_is_in_the_index():
    linked = {(INDEX.parent / target.partition("#")[0]).resolve() for target in targets(INDEX)}
    assert set((TOP / "docs").rglob("*.md")) - {INDEX} <= linked
