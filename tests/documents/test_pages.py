"""The other pages with commands: run here, or by the test that reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from building import TOP
from pages import Block, blocks
from reader import Reader, checkout, demonstration

# The directory in which a reader starts a page.
FOLLOWED: dict[str, Callable[[Path], Path]] = {
    "README.md": checkout,
    "docs/machines.md": checkout,
    "docs/migration.md": demonstration,
    "docs/plan.md": demonstration,
}
# Builds for another architecture, with emulated programs: tests/images/test_aarch64.py has one too.
LONG = ("docs/machines.md",)
# Tests that read pages and have the machines, networks and engines for their commands.
READ_BY = {
    "docs/containers.md": "tests/images/test_admin_container.py",
    "docs/pxe.md": "tests/boot/test_pxe_serve.py",
    "docs/tutorial.md": "tests/documents/test_tutorial.py",
    "docs/upgrading.md": "tests/boot/test_upgrade.py",
}
CHINESE = "README.zh.md"
PAGES = {
    str(page.relative_to(TOP)): page for page in (*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"))
}


def is_of_the_tests(block: Block) -> bool:
    """Whether it is the command that runs this test."""
    return "pytest" in block.text


@pytest.mark.image
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.long if page in LONG else ()) for page in FOLLOWED],
)
def test_what_is_typed_succeeds(page: str, repository: Path, tmp_path: Path):
    with Reader(FOLLOWED[page](tmp_path / "place")) as reader:
        reader.follow([block for block in blocks(PAGES[page]) if not is_of_the_tests(block)])


def typed(page: str) -> list[str]:
    return [block.text for block in blocks(PAGES[page]) if block.is_typed]


def test_no_page_is_left_out():
    with_commands = {page for page in PAGES if typed(page) and not page.startswith("docs/howto/")}
    assert with_commands == {*FOLLOWED, *READ_BY, CHINESE}
    for page, test in READ_BY.items():
        assert page in (TOP / test).read_text(), f"{test} does not read {page}"


def test_every_file_is_named_above_it():
    found = [block for page in PAGES.values() for block in blocks(page) if block.is_file]
    unnamed = [str(block) for block in found if not block.names_its_file]
    assert found and not unnamed


def test_both_languages_type_the_same():
    assert typed(CHINESE) == typed("README.md")


def test_the_readme_passes_the_tests_as_ci_does():
    (command,) = (block.text for block in blocks(PAGES["README.md"]) if is_of_the_tests(block))
    assert f"exec {command.strip()} " in (TOP / ".ci/run").read_text()
