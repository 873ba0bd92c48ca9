"""Options and values in messages: on one line, short, and without secrets."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any, Callable

from kbimg_tasks.diagnostics.excerpt import MASK
from kbimg_tasks.diagnostics.problem import Option

SHOWN_CHARACTERS = 60
# Python refuses to write longer numbers in decimal.
LARGEST_NUMBER = 1 << 64
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
WORD = re.compile(r"\S+")


def spelled(option: Option) -> str:
    """An option as users write it: `users[0].name`."""
    text = ""
    for part in option:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if BARE_KEY.fullmatch(part) else quoted(part)
            text += f".{key}" if text else key
    return text


def quoted(text: str) -> str:
    """Text in quotes, shortened if it is long, with unprintable characters escaped."""
    text = without_credentials(text)
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    safe = "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in cut)
    return f'"{safe}"'


def without_credentials(text: str, hidden: Callable[[str], str] = lambda _: MASK) -> str:
    """The text with user names and passwords in URLs hidden."""

    def of_word(word: re.Match[str]) -> str:
        scheme, mark, rest = word[0].partition("://")
        credentials, at, host = rest.rpartition("@")
        return "".join((scheme, mark, hidden(credentials) if at else "", at, host))

    return WORD.sub(of_word, text)


def value(found: Any) -> str:
    """A value of TOML."""
    if isinstance(found, str):
        return quoted(found)
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, (dict, list)):
        return kind(found)
    if isinstance(found, int) and abs(found) > LARGEST_NUMBER:
        return "integer out of range"
    return str(found)


def kind(found: Any) -> str:
    """The kind of a value without its content, which can be a secret in the wrong place."""
    if isinstance(found, dict):
        return "a table"
    if isinstance(found, list):
        return "a list" if found else "an empty list"
    if isinstance(found, str):
        return f"text of {len(found)} characters" if found else "empty text"
    if isinstance(found, bool):
        return "true or false"
    return "a number" if isinstance(found, (int, float)) else "a date or time"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The most similar known name, if any."""
    plain = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), plain, 1)
    return plain[near[0]] if near else None
