"""Hides secrets in the lines of a file for messages: each character is replaced by HIDDEN.

Only values that are known not to be secret are shown: those of options that the model does not mark
as secret. So a secret is also hidden if its option is misspelled or in the wrong table. Comments
can contain anything and are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import attrs

from kbimg_tasks.config.model import ARRAYS, TABLES
from kbimg_tasks.config.quoting import without_credentials
from kbimg_tasks.config.spans import Path, Place, Scanned
from kbimg_tasks.config.tables import names
from kbimg_tasks.diagnostics.excerpt import HIDDEN

Lines = tuple[str, ...]

KINDS = {**TABLES, **ARRAYS}
# Names of options that are secret in some tables, and in none.
SECRET = {
    name
    for kind in KINDS.values()
    for attribute in attrs.fields(kind)
    for name in names(attribute)
    if attribute.metadata["secret"]
}
PLAIN = {
    name for kind in KINDS.values() for attribute in attrs.fields(kind) for name in names(attribute)
} - SECRET
HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_-]+)[A-Za-z0-9_. -]*\]{0,2}")
BARE = re.compile(r"[A-Za-z0-9_-]+")
KEY = re.compile(r"([A-Za-z0-9_-]+)[\"']?\s*=")
FIRST_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*")
# The start of an array element, the end of an array, or an empty line.
ELEMENT = ("", '"', "'", "[", "]", ",")
LONG_QUOTES = ('"""', "'''")
REPOSITORY_HEADER = re.compile(r"\[[^\]]*\]")
REPOSITORY_KEY = re.compile(r"[A-Za-z0-9_.-]+\s*=\s*")


def lines(text: str, scanned: Scanned) -> Lines:
    """The lines of a TOML document."""
    text = text.replace("\r\n", "\n")
    starts = [0, *(end.end() for end in re.finditer("\n", text))]
    parts, done = [], 0
    for place in sorted(_secret(text, starts, scanned.places)):
        start, end = max(done, place[0]), max(done, place[1])
        parts += [text[done:start], _hidden(text[start:end])]
        done = end
    shown = "".join((*parts, text[done:])).split("\n")
    for number, column in scanned.comments.items():
        shown[number - 1] = shown[number - 1][: column - 1]
    return _without_credentials(shown)


def _secret(
    text: str, starts: list[int], places: Mapping[Path, Place]
) -> Iterator[tuple[int, int]]:
    """The start and end offsets of values that must be hidden."""
    for path, place in places.items():
        if place.value is not None:
            start = starts[place.value.line - 1] + place.value.column - 1
            if not _may_be_shown(path, is_nested=text[start] in "[{"):
                yield start, starts[place.value.end_line - 1] + place.value.end_column - 1


def _may_be_shown(path: Path, is_nested: bool) -> bool:
    """Whether only the nested values within a value can be secret."""
    option = tuple(part for part in path if isinstance(part, str))
    kind = KINDS.get(option[0])
    if kind is None or len(option) > 2:
        return False
    if len(option) == 1:  # written inline
        return is_nested
    return any(
        option[1] in names(attribute) and not attribute.metadata["secret"]
        for attribute in attrs.fields(kind)
    )


def lines_of_broken(text: str) -> Lines:
    """The lines of a file that is not valid TOML, where the ends of values are unknown. A value is
    shown only after a key that is not secret in any table, array elements also on the following
    lines, and nothing after the first multi-line quote."""
    found: list[str] = []
    is_open = False
    rows = text.replace("\r\n", "\n").split("\n")
    for line in rows:
        if any(quotes in line for quotes in LONG_QUOTES):
            break
        header, key = HEADER.match(line), FIRST_KEY.match(line)
        shown = 0
        if header and header[1] in KINDS:
            is_open, shown = False, header.end()
        elif key:
            is_open = key[1] in PLAIN and line[key.end() :].lstrip().startswith("[")
            shown = _plain_until(line) if key[1] in PLAIN else 0
            shown = key.end() if key[1] in SECRET else shown
        elif is_open and line.strip()[:1] in ELEMENT:
            shown = _plain_until(line)
        else:
            is_open = False
        is_open = is_open and "]" not in line
        found.append(_shown_until(line, shown))
    found += map(_hidden, rows[len(found) :])
    return _without_credentials(found)


def _plain_until(line: str) -> int:
    """The start of a comment or of a possible secret on a line."""
    doubtful = [key.end() for key in KEY.finditer(line) if key[1] not in PLAIN]
    doubtful += [word.end() for word in BARE.finditer(line) if word[0] in SECRET]
    comment = line.find("#")
    return min([*doubtful, len(line) if comment < 0 else comment])


def lines_of_repository(text: str) -> Lines:
    """The lines of a repository file, with headers and keys only."""
    return tuple(map(_of_repository, text.split("\n")))


def _of_repository(line: str) -> str:
    # An indented line can continue the value of the line before.
    found = REPOSITORY_HEADER.match(line) or REPOSITORY_KEY.match(line)
    return _shown_until(line.rstrip(), found.end() if found else 0)


def _shown_until(line: str, end: int) -> str:
    return line[:end] + _hidden(line[end:])


def _hidden(text: str) -> str:
    return re.sub(r"[^\n]", HIDDEN, text)


def _without_credentials(shown: list[str]) -> Lines:
    return tuple(without_credentials(line, _hidden) for line in shown)
