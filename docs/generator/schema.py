"""The JSON Schema of kbimg.toml, for editors and other programs.

It is made of the model: whatever a rule takes, the schema takes too. What options demand of each
other, and of files, only `doit check` knows. `python -m docs.generator` writes the file.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

import attrs

from kbimg_tasks.config.model import ARRAYS, TABLES
from kbimg_tasks.config.tables import names
from kbimg_tasks.host.installation import DATA

FILE = DATA / "kbimg.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def schema() -> Schema:
    """Of a whole file."""
    return {
        "$schema": DIALECT,
        "title": "kbimg.toml",
        "description": "What KubeOS images are made of.",
        "type": "object",
        "properties": {
            **{name: table(kind) for name, kind in TABLES.items()},
            **{name: {"type": "array", "items": table(kind)} for name, kind in ARRAYS.items()},
        },
        "additionalProperties": False,
    }


def table(kind: type) -> Schema:
    """Of one table."""
    fields = attrs.fields(kind)
    twice = [
        {"not": {"required": [names(attribute)[0], other]}}
        for attribute in fields
        for other in names(attribute)[1:]
    ]
    return {
        "description": " ".join(inspect.cleandoc(kind.__doc__ or "").split()),
        "type": "object",
        "properties": {
            name: option(attribute, name) for attribute in fields for name in names(attribute)
        },
        "required": [
            names(attribute)[0] for attribute in fields if attribute.default is attrs.NOTHING
        ],
        **({"allOf": twice} if twice else {}),
        "additionalProperties": False,
    }


def option(attribute: Any, name: str) -> Schema:
    """Of one option under one of its names."""
    meta = attribute.metadata
    own = names(attribute)[0]
    found = {
        "description": meta["doc"] if name == own else f"The same as {own}.",
        **meta["rule"].schema,
    }
    if attribute.default not in (attrs.NOTHING, None):
        default = attribute.default
        found["default"] = list(default) if isinstance(default, tuple) else default
    if meta["secret"]:
        found["writeOnly"] = True
    if name != own:
        found["deprecated"] = True
    return found


def text() -> str:
    """The file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
