"""The files that are made from the code, and how they are written: by Jinja's templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from docs.generator import commands, configuration, picture, schema, stages

DOCS = Path(__file__).resolve().parents[1]
TEMPLATES = Path(__file__).resolve().parent / "templates"


def pages() -> dict[Path, str]:
    """Each file with its text."""
    return {
        DOCS / "reference/configuration.md": _rendered(
            "configuration.md",
            tables=configuration.tables(),
            tree_results=configuration.tree_results(),
            added=configuration.added_packages(),
        ),
        DOCS / "reference/commands.md": _rendered(
            "commands.md",
            verbs=commands.verbs(),
            words=commands.words(),
            tasks=commands.tasks(),
            variants=stages.variants(),
        ),
        DOCS / "graph.svg": _rendered("graph.svg", picture=picture.picture()),
        schema.FILE: schema.text(),
    }


def _rendered(template: str, **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=template.endswith(".svg"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(cell=cell, named=named)
    return environment.get_template(f"{template}.j2").render(values)


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def named(words: Any) -> str:
    """Names, as code, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)
