"""Line numbers of a TOML document's values, which tomli does not give.

The scanner knows the grammar (https://toml.io/en/v1.1.0) just well enough to find where keys and
array elements begin. It runs on documents that tomli has accepted, so it need not find errors.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Tuple, Union

from attrs import field, frozen

Path = Tuple[Union[str, int], ...]
HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
ESCAPES = {"e": "\x1b", "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


@frozen
class Positions:
    """Where each option of a file stands; `file` is its name as users know it."""

    file: str = ""
    lines: Mapping[Path, int] = field(factory=dict)

    def line(self, path: Path) -> int:
        """The line of an option, or of the nearest thing around it that is there; 0 for none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def where(self, option: str) -> str:
        """`kbimg.toml:12` for an option such as `users[0].name`."""
        words = re.findall(r"[^.\[\]]+", option)
        line = self.line(tuple(int(word) if word.isdecimal() else word for word in words))
        return f"{self.file}:{line}" if line else self.file


def lines(document: str) -> Dict[Path, int]:
    """The line, counted from 1, on which each key or element begins.

    A table in an array of tables is at its index: ("users", 0, "name").
    """
    scanner = _Scanner(document.replace("\r\n", "\n"))
    scanner.document()
    return scanner.found


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.line = 1
        self.found: Dict[Path, int] = {}
        self.counts: Dict[Path, int] = {}

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
        self._advance(2 if array else 1)
        line = self.line
        keys = self._keys("]")
        self._advance(2 if array else 1)
        path: Path = ()
        for key in keys[:-1]:
            path += (key,)
            self.found.setdefault(path, line)
            path = self._inside(path)
        path += (keys[-1],)
        self.found.setdefault(path, line)
        if array:
            self.counts[path] = self.counts.get(path, -1) + 1
            path += (self.counts[path],)
            self.found[path] = line
        return path

    def _inside(self, path: Path) -> Path:
        """A key of an array of tables means its last table."""
        return path + (self.counts[path],) if path in self.counts else path

    def _pair(self, table: Path) -> None:
        line = self.line
        path = table
        for key in self._keys("="):
            path += (key,)
            self.found.setdefault(path, line)
        self._advance(1)
        self._skip(" \t")
        self._value(path)

    def _keys(self, end: str) -> List[str]:
        keys = []
        while True:
            self._skip(" \t")
            if self._peek('"') or self._peek("'"):
                keys.append(self._string())
            else:
                start = self.place
                while self.text[self.place] not in ". \t\n" + end:
                    self.place += 1
                keys.append(self.text[start : self.place])
            self._skip(" \t")
            if not self._peek("."):
                return keys
            self._advance(1)

    def _value(self, path: Path) -> None:
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline(path)
        elif self._peek('"') or self._peek("'"):
            self._string()
        else:
            while self.place < len(self.text) and self.text[self.place] not in ",]}#\n":
                self.place += 1

    def _array(self, path: Path) -> None:
        self._advance(1)
        index = 0
        while self._skip(" \t\n,", comments=True) and not self._peek("]"):
            self.found[path + (index,)] = self.line
            self._value(path + (index,))
            index += 1
        self._advance(1)

    def _inline(self, path: Path) -> None:
        self._advance(1)
        while self._skip(" \t\n,", comments=True) and not self._peek("}"):
            self._pair(path)
        self._advance(1)

    def _string(self) -> str:
        quote = self.text[self.place]
        if self._peek(quote * 3):
            return self._long(quote)
        self._advance(1)
        parts = []
        while self.text[self.place] != quote:
            parts.append(self._character(quote))
        self._advance(1)
        return "".join(parts)

    def _long(self, quote: str) -> str:
        self._advance(3)
        parts = []
        while not self._peek(quote * 3):
            parts.append(self._character(quote))
        self._advance(3)
        while self._peek(quote):  # up to two quotes may stand before the closing ones
            parts.append(quote)
            self._advance(1)
        return "".join(parts)

    def _character(self, quote: str) -> str:
        if quote == "'" or not self._peek("\\"):
            return self._advance(1)
        self._advance(1)
        kind = self._advance(1)
        if kind in HEX_DIGITS:
            return chr(int(self._advance(HEX_DIGITS[kind]), 16))
        return ESCAPES.get(kind, "")

    def _peek(self, text: str) -> bool:
        return self.text.startswith(text, self.place)

    def _advance(self, count: int) -> str:
        passed = self.text[self.place : self.place + count]
        self.place += count
        self.line += passed.count("\n")
        return passed

    def _skip(self, characters: str, comments: bool = False) -> bool:
        """Pass over characters; whether anything is left."""
        while self.place < len(self.text):
            if self.text[self.place] in characters:
                self._advance(1)
            elif comments and self.text[self.place] == "#":
                end = self.text.find("\n", self.place)
                self.place = len(self.text) if end < 0 else end
            else:
                return True
        return False
