"""Every package has one purpose and a place among the layers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import tomli
from building import TOP

PACKAGE = TOP / "kbimg_tasks"
PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_package_states_its_purpose_in_one_sentence(package: Path):
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text()))
    assert text, "no docstring"
    first = " ".join(text.partition("\n\n")[0].split())
    assert first.endswith(".")
    assert ". " not in first, first


def test_every_package_has_a_place_among_the_layers():
    (contract,) = (
        contract
        for contract in tomli.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"][
            "contracts"
        ]
        if contract["name"] == "imports go one way"
    )
    placed = {name.strip() for layer in contract["layers"] for name in layer.split(":")}
    there = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    there |= {package.name for package in PACKAGES if package.parent == PACKAGE}
    assert placed == there
    assert len(contract["layers"]) <= 10


def test_no_module_is_named_after_nothing():
    vague = {"misc", "utils", "util", "common", "helper", "helpers", "manager"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem in vague]
