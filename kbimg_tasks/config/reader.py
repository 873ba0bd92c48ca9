"""Converts the values of a file to attributes of the model's classes, and collects all errors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from kbimg_tasks.config import quoting
from kbimg_tasks.config.document import Document
from kbimg_tasks.config.files import Files
from kbimg_tasks.config.kind import Kind
from kbimg_tasks.config.model import ARRAYS, TABLES
from kbimg_tasks.config.rules import Several, Wrong
from kbimg_tasks.config.secret import Hidden
from kbimg_tasks.config.tables import names
from kbimg_tasks.diagnostics.problem import Option, Problem

# The valid attributes of one table; absent options have their default.
Draft = dict[str, Any]

RPMLIST: Option = ("from_repo", "rpmlist")


class Reader:
    """Validates one file; errors are collected in `problems`."""

    def __init__(self, document: Document, files: Files, kinds: Collection[Kind]) -> None:
        self.document, self.files = document, files
        self.tables_read = frozenset[str]().union(*(kind.reads for kind in kinds))
        self.problems: list[Problem] = []

    def add(self, option: Option, message: str, hint: str = "", *, of_key: bool = False) -> None:
        """Add an error about an option's value, or about its key or header."""
        self.problems.append(self.document.problem(option, message, hint, of_key=of_key))

    def tables(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A Draft for each table, a list of them for each array of tables."""
        drafts: dict[str, Any] = {}
        for name, value in values.items():
            if name in TABLES:
                drafts[name] = self._single(name, value)
            elif name in ARRAYS:
                drafts[name] = self._array(name, value)
            else:
                self._unknown_table(name, value)
        return drafts

    def _single(self, name: str, value: Any) -> Draft:
        if isinstance(value, dict):
            return self._table(TABLES[name], value, (name,))
        found = f"[[{name}]]" if _is_tables(value) else quoting.kind(value)
        self.add((name,), f"expected one table headed [{name}], found {found}")
        return {}

    def _array(self, name: str, value: Any) -> list[Draft]:
        if not isinstance(value, list):
            found = f"[{name}]" if isinstance(value, dict) else quoting.kind(value)
            self.add((name,), f"expected tables headed [[{name}]], found {found}")
            return []
        drafts = []
        for index, table in enumerate(value):
            if isinstance(table, dict):
                drafts.append(self._table(ARRAYS[name], table, (name, index)))
            else:
                self.add((name, index), f"expected a table, found {quoting.kind(table)}")
                drafts.append({})
        return drafts

    def _table(self, kind: type, value: Mapping[str, Any], at: Option) -> Draft:
        draft: Draft = {}
        attributes = attrs.fields(kind)
        known = [name for attribute in attributes for name in names(attribute)]
        misspelled = {key: quoting.nearest(key, known) for key in value if key not in known}
        for key, meant in misspelled.items():
            self._unknown_option((*at, key), meant)
        for attribute in attributes:
            used = [name for name in names(attribute) if name in value]
            if len(used) > 1:
                self.add((*at, used[1]), f"given twice, as {' and as '.join(used)}", of_key=True)
            if used:
                self._option(attribute, value[used[0]], (*at, used[0]), draft)
            elif set(names(attribute)) & set(misspelled.values()):
                continue  # reported already
            elif attribute.default is attrs.NOTHING:
                self.add(at, f"the option {names(attribute)[0]} is missing", of_key=True)
            else:
                draft[attribute.name] = attribute.default
        return draft

    def _option(self, attribute: Any, value: Any, at: Option, draft: Draft) -> None:
        meta = attribute.metadata
        wrong_elements = set()
        try:
            read = meta["rule"](value)
            if meta["file"]:
                read = self._file(at, read, meta["file"])
            draft[attribute.name] = Hidden(read) if meta["secret"] else read
        except Wrong as wrong:
            self._wrong(at, wrong, value, is_secret=meta["secret"])
        except Several as several:
            for index, found, element in several.wrongs:
                self._wrong((*at, index), found, element)
                wrong_elements.add(index)
        if at == RPMLIST and isinstance(value, list):
            draft[attribute.name] = tuple(
                self._package((*at, index), name)
                for index, name in enumerate(value)
                if index not in wrong_elements
            )

    def _wrong(self, at: Option, wrong: Wrong, value: Any, is_secret: bool = False) -> None:
        found = quoting.kind(value) if is_secret else quoting.value(value)
        self.add(at, f"expected {wrong.expected}, found {wrong.found or found}", wrong.hint)

    def _file(self, at: Option, name: str, kind: str) -> Any:
        return self.files.find(name, kind, must_exist=at[0] in self.tables_read)

    def _package(self, at: Option, name: str) -> str:
        """An RPM file of this host as its full path, by which dnf recognizes it; other packages
        unchanged."""
        if name.endswith(".rpm") and "://" not in name:
            try:
                return str(self._file(at, name, "file"))
            except Wrong as wrong:
                self._wrong(at, wrong, name)
        return name

    def _unknown_option(self, at: Option, meant: Any) -> None:
        name = str(at[-1])
        if not meant and name in TABLES:
            self.add(at, "unknown option", f"a table of its own: [{name}]", of_key=True)
        elif not meant and name in ARRAYS:
            self.add(at, "unknown option", f"a table of its own: [[{name}]]", of_key=True)
        else:
            self.add(at, "unknown option", f"did you mean {meant}?" if meant else "", of_key=True)

    def _unknown_table(self, name: str, value: Any) -> None:
        is_table = isinstance(value, dict) or _is_tables(value)
        owners = [
            table
            for table, kind in {**TABLES, **ARRAYS}.items()
            if any(name in names(attribute) for attribute in attrs.fields(kind))
        ]
        meant = quoting.nearest(name, [*TABLES, *ARRAYS])
        if owners and not is_table:
            heads = [f"[[{table}]]" if table in ARRAYS else f"[{table}]" for table in owners]
            self.add(
                (name,),
                "option outside of a table",
                f"belongs below {' or '.join(heads)}",
                of_key=True,
            )
        else:
            self.add(
                (name,),
                "unknown table" if is_table else "unknown option",
                f"did you mean {meant}?" if meant else "",
                of_key=True,
            )


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
