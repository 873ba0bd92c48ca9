"""Formatting, lint, types and import rules of the repository."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from building import TOP

# mypy's errors about types, which tests find out by failing; names and calls stay checked.
TYPES = (
    "arg-type",
    "call-overload",
    "index",
    "list-item",
    "misc",
    "operator",
    "union-attr",
    "var-annotated",
)


def passes(*argv: object, **variables: str) -> None:
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=TOP,
        env={**os.environ, **variables},
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


def test_ruff():
    passes(sys.executable, "-m", "ruff", "check", ".")


def test_format():
    passes(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_types():
    passes(sys.executable, "-m", "mypy")


def test_names_in_tests():
    """Most boot tests run rarely: this finds names that no longer exist."""
    passes(
        *(sys.executable, "-m", "mypy", "--explicit-package-bases"),
        *("--exclude", "tests/boot/conftest"),
        *(f"--disable-error-code={each}" for each in TYPES),
        *("tests", "docs"),
        MYPYPATH="tests:tests/boot",
    )


def test_imports_go_one_way():
    passes(Path(sys.executable).parent / "lint-imports", "--no-cache")


SCRIPTS = sorted(
    path
    for path in [*(TOP / "kbimg_tasks").rglob("*"), *(TOP / ".ci").iterdir()]
    if path.is_file() and path.read_bytes()[:2] == b"#!"
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(TOP)))
def test_shell_scripts(path: Path):
    passes("shellcheck", path)


def test_modules_have_one_subject():
    for path in (TOP / "kbimg_tasks").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path
    assert len((TOP / "dodo.py").read_text().splitlines()) < 80


def test_a_class_name_means_one_thing():
    places: dict[str, list[str]] = {}
    for path in (TOP / "kbimg_tasks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path))
    assert len(places) > 100
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_tools_import_nothing_else_of_ours():
    for path in (TOP / "kbimg_tasks/tools").glob("*.py"):
        assert "kbimg_tasks" not in path.read_text().replace("kbimg_tasks.tools", ""), path
