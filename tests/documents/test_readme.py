"""README in both languages: what it shows without running it is also right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from building import DEMO, TOP
from pages import blocks, spans

from kbimg_tasks.config.load import load

PAGES = [TOP / "README.md", TOP / "README.zh.md"]
LINES_AT_MOST = 130


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_shortest_configuration_is_one(page: Path, tmp_path: Path):
    (text,) = (block.text for block in blocks(page) if block.language == "toml")
    (tmp_path / "demo.repo").write_bytes((DEMO / "demo.repo").read_bytes())
    (tmp_path / "os-agent").write_bytes((DEMO / "os-agent").read_bytes())
    text = text.replace("/etc/yum.repos.d/openEuler.repo", "demo.repo")
    (tmp_path / "kbimg.toml").write_text(text)
    assert load(tmp_path / "kbimg.toml", tmp_path).from_repo
    for line in text.splitlines()[1:]:
        (tmp_path / "kbimg.toml").write_text(text.replace(line, ""))
        with pytest.raises(Exception, match="missing"):
            load(tmp_path / "kbimg.toml", tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_it_is_short_and_leads_where_it_says(page: Path):
    assert len(page.read_text().splitlines()) <= LINES_AT_MOST
    for span in spans(page):
        if re.fullmatch(r"config/[\w./-]+\.toml", span):
            assert (TOP / span).is_file(), span


def test_both_languages_name_the_same():
    """Commands, files, options and links, except the link to the other language."""
    one, other = ({re.sub(r"\s+", " ", span) for span in spans(page)} for page in PAGES)
    assert one == other
    links = [sorted(set(re.findall(r"\]\((docs/[^)]+)\)", page.read_text()))) for page in PAGES]
    assert links[0] == links[1]
