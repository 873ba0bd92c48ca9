"""The packages, layers, modules and functions that docs/design.md names exist."""

from __future__ import annotations

import re

import pytest
import tomli
from building import TOP

PAGE = (TOP / "docs/design.md").read_text(encoding="utf-8")
PACKAGE = TOP / "kbimg_tasks"
# `path/module.py` `Name.part`, as the way of an option has them.
DEFINED = re.findall(r"`([\w/]+\.py)` `([\w.]+)`", PAGE)


def test_layers_are_those_of_the_contract():
    contracts = tomli.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (
        one["layers"] for one in contracts["contracts"] if one.get("containers") == ["kbimg_tasks"]
    )
    shown = re.findall(r"^\| \d+ \| ((?:`\w+`(?:, )?)+) \|$", PAGE, re.M)
    assert [re.findall(r"\w+", row) for row in shown] == [re.findall(r"\w+", one) for one in layers]


def test_every_package_has_a_line():
    listed = set(re.findall(r"^  (\w+)/ ", PAGE, re.M))
    there = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert listed == there


def test_every_module_that_is_named_is_there():
    named = re.findall(r"`([\w/]+\.py)`", PAGE)
    missing = [one for one in named if not (PACKAGE / one).exists() and not (TOP / one).exists()]
    assert len(named) > 20 and not missing


@pytest.mark.parametrize(("module", "name"), DEFINED)
def test_every_function_that_is_named_is_there(module: str, name: str):
    source = (PACKAGE / module).read_text(encoding="utf-8")
    for part in name.split("."):
        assert re.search(rf"^ *(def|class) {part}\b", source, re.M), part
