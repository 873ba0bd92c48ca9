"""Finds the places of keys and values in a TOML document, which tomli does not return.

The scanner implements only the part of the grammar (https://toml.io/en/v1.1.0) that is needed to
find the starts and ends of keys and array elements. It runs on documents that tomli has accepted,
so it need not detect errors.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Union

from attrs import evolve, frozen

from kbimg_tasks.diagnostics.problem import Span

Path = tuple[Union[str, int], ...]
HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
ESCAPES = {"e": "\x1b", "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


@frozen
class Place:
    """The place of an option. The key of a table is its header, and only an inline table has a
    value; an array element is its own key."""

    key: Span
    value: Span | None = None


@frozen
class Scanned:
    """The place of each key and element; a table in an array of tables is at its index, as in
    ("users", 0, "name"). `comments` has for a line the column in which its comment begins."""

    places: Mapping[Path, Place]
    comments: Mapping[int, int]


def scan(document: str) -> Scanned:
    """All places of a document, whose lines can end in CR LF."""
    scanner = _Scanner(document.replace("\r\n", "\n"))
    scanner.document()
    return Scanned(scanner.found, scanner.comments)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.starts = [0, *(end.end() for end in re.finditer("\n", text))]
        self.found: dict[Path, Place] = {}
        self.comments: dict[int, int] = {}
        self.counts: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip(" \t\n", comments=True):
            if self._peek("[["):
                table = self._header(array=True)
            elif self._peek("["):
                table = self._header(array=False)
            else:
                self._pair(table)

    def _header(self, array: bool) -> Path:
        start = self.place
        self.place += 2 if array else 1
        keys = [key for key, _ in self._keys("]")]
        self.place += 2 if array else 1
        place = Place(self._span(start))
        path: Path = ()
        for key in keys[:-1]:
            path += (key,)
            self.found.setdefault(path, place)
            path = self._inside(path)
        path += (keys[-1],)
        self.found.setdefault(path, place)
        if array:
            self.counts[path] = self.counts.get(path, -1) + 1
            path += (self.counts[path],)
            self.found[path] = place
        return path

    def _inside(self, path: Path) -> Path:
        """A key of an array of tables means its last table."""
        return path + (self.counts[path],) if path in self.counts else path

    def _pair(self, table: Path) -> None:
        path = table
        for key, span in self._keys("="):
            path += (key,)
            self.found.setdefault(path, Place(span))
        self.place += 1
        self._skip(" \t")
        self.found[path] = evolve(self.found[path], value=self._value(path))

    def _keys(self, end: str) -> list[tuple[str, Span]]:
        keys = []
        while True:
            self._skip(" \t")
            start = self.place
            if self._peek('"') or self._peek("'"):
                key = self._string()
            else:
                while self.text[self.place] not in ". \t\n" + end:
                    self.place += 1
                key = self.text[start : self.place]
            keys.append((key, self._span(start)))
            self._skip(" \t")
            if not self._peek("."):
                return keys
            self.place += 1

    def _value(self, path: Path) -> Span:
        start = self.place
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline(path)
        elif self._peek('"') or self._peek("'"):
            self._string()
        else:
            while self.place < len(self.text) and self.text[self.place] not in ",]}#\n":
                self.place += 1
            while self.text[self.place - 1] in " \t":
                self.place -= 1
        return self._span(start)

    def _array(self, path: Path) -> None:
        self.place += 1
        index = 0
        while self._skip(" \t\n,", comments=True) and not self._peek("]"):
            span = self._value(path + (index,))
            self.found[path + (index,)] = Place(span, span)
            index += 1
        self.place += 1

    def _inline(self, path: Path) -> None:
        self.place += 1
        while self._skip(" \t\n,", comments=True) and not self._peek("}"):
            self._pair(path)
        self.place += 1

    def _string(self) -> str:
        quote = self.text[self.place]
        if self._peek(quote * 3):
            return self._long(quote)
        self.place += 1
        parts = []
        while self.text[self.place] != quote:
            parts.append(self._character(quote))
        self.place += 1
        return "".join(parts)

    def _long(self, quote: str) -> str:
        self.place += 3
        parts = []
        while not self._peek(quote * 3):
            parts.append(self._character(quote))
        self.place += 3
        while self._peek(quote):  # up to two quotes may stand before the closing ones
            parts.append(quote)
            self.place += 1
        return "".join(parts)

    def _character(self, quote: str) -> str:
        if quote == "'" or not self._peek("\\"):
            return self._advance(1)
        self.place += 1
        kind = self._advance(1)
        if kind in HEX_DIGITS:
            return chr(int(self._advance(HEX_DIGITS[kind]), 16))
        return ESCAPES.get(kind, "")

    def _peek(self, text: str) -> bool:
        return self.text.startswith(text, self.place)

    def _advance(self, count: int) -> str:
        passed = self.text[self.place : self.place + count]
        self.place += count
        return passed

    def _skip(self, characters: str, comments: bool = False) -> bool:
        """Skip characters. Returns whether anything is left."""
        while self.place < len(self.text):
            if self.text[self.place] in characters:
                self.place += 1
            elif comments and self.text[self.place] == "#":
                line, column = self._point(self.place)
                self.comments[line] = column
                end = self.text.find("\n", self.place)
                self.place = len(self.text) if end < 0 else end
            else:
                return True
        return False

    def _span(self, start: int) -> Span:
        """The span from an offset to the current position."""
        return Span(*self._point(start), *self._point(self.place))

    def _point(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1
