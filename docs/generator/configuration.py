"""What docs/reference/configuration.md tells: tables and options as the model has them, and what a
change of each makes again."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

from docs.generator import influence
from kbimg_tasks.config.model import ARRAYS, TABLES
from kbimg_tasks.config.rules import Rule, Wrong
from kbimg_tasks.config.tables import names
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.machine.architecture import ARCHITECTURES

EXAMPLES = DATA / "example.toml"
# What a path must lead to, by the kind of file that an option names.
KINDS = {
    "": "",
    "file": " of a file",
    "directory": " of a directory",
    "any": " of a file or directory",
    "program": " of a program for the image's architecture",
    "agent": " of a program for the image's architecture, or of a script",
}


@frozen
class Option:
    """An option as the page shows it; an empty `default` is none."""

    name: str
    also: tuple[str, ...]
    value: str
    default: str
    is_required: bool
    is_secret: bool
    doc: str


@frozen
class Effect:
    """Options whose change makes the same again, in the image that they are about."""

    options: tuple[str, ...]
    image: str
    sure: tuple[str, ...]
    possible: tuple[str, ...]


@frozen
class Table:
    """A table with its options, what changes of them make again, and an example."""

    name: str
    header: str
    doc: str
    options: tuple[Option, ...]
    effects: tuple[Effect, ...]
    example: str

    @property
    def summary(self) -> str:
        """The first sentence of what it is for."""
        return f"{self.doc.partition('. ')[0].rstrip('.')}."


def tables() -> tuple[Table, ...]:
    """All of them, in the order of the model."""
    example = examples()
    found = []
    for name, kind in {**TABLES, **ARRAYS}.items():
        header = f"[[{name}]]" if name in ARRAYS else f"[{name}]"
        told = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
        doc = told.partition(": ")[2]
        found.append(
            Table(
                name,
                header,
                doc[:1].upper() + doc[1:],
                tuple(map(option, attrs.fields(kind))),
                effects(name),
                example[name],
            )
        )
    return tuple(found)


def option(attribute: Any) -> Option:
    """One option of the model."""
    name, *also = names(attribute)
    meta, default = attribute.metadata, attribute.default
    is_required = default is attrs.NOTHING
    shown = "" if is_required or default is None else json.dumps(default)
    return Option(
        name,
        tuple(also),
        f"{expected(meta['rule'])}{KINDS[meta['file']]}",
        shown,
        is_required,
        meta["secret"],
        meta["doc"],
    )


def expected(rule: Rule) -> str:
    """The values that a rule accepts, in the words of its error message."""
    try:
        rule(object())
    except Wrong as wrong:
        return wrong.expected + (", one or more" if rule.schema.get("minItems") else "")
    raise TypeError("a rule that takes anything")


def effects(table: str) -> tuple[Effect, ...]:
    """What changes of a table's options make again."""
    groups: dict[tuple[str, influence.Influence], list[str]] = {}
    for name in influence.options():
        if name.startswith(f"{table}."):
            group = groups.setdefault((influence.reader_of(name), influence.row(name)), [])
            group.append(name.partition(".")[2])
    return tuple(
        Effect(tuple(options), image, short(found.sure), short(found.possible))
        for (image, found), options in groups.items()
    )


def tree_results() -> tuple[str, ...]:
    """The stages that are made again whenever the root tree is: too many to list each time."""
    first, *rest = influence.row("users.name").sure
    assert first == "customised", first
    return tuple(rest)


def short(stages: tuple[str, ...]) -> tuple[str, ...]:
    """Stages with those of every tree last, as one; a stage beside a name is the name itself."""
    results = tree_results()
    if not set(results) <= set(stages):
        return stages
    return (*(stage for stage in stages if stage not in results), "")


def added_packages() -> Iterator[tuple[str, str]]:
    """The packages that kbimg adds to `rpmlist`, for each machine."""
    for machine in ARCHITECTURES.values():
        yield f"{machine.name}, UEFI", " ".join(machine.packages())
        if machine.has_bios:
            yield f"{machine.name}, legacy BIOS", " ".join(machine.packages(legacy=True))
        yield f"{machine.name}, with dm-verity in addition", " ".join(machine.verity_packages)


def examples() -> dict[str, str]:
    """The text of each table in the file of examples, whose first paragraph is a comment."""
    found: dict[str, str] = {}
    for part in EXAMPLES.read_text(encoding="utf-8").split("\n\n")[1:]:
        header = part.partition("\n")[0]
        found[header.strip("[]")] = part.strip()
    return found
