"""A line of a file as messages show it: short, printable, and without secrets."""

from __future__ import annotations

from attrs import frozen

# Replaces each character that must not be shown. No TOML document contains it.
HIDDEN = "\0"
MASK = "••••••"  # of one length, whatever it hides
LEFT_OUT = "…"
TAB = "    "
LONGEST = 120
BEFORE_MARK = 40


@frozen
class Excerpt:
    """The text to show and the part to underline: from character `start`, counted from 0, to before
    `end`, which may be one after the end of the text."""

    text: str
    start: int
    end: int


def excerpt(line: str, start: int, end: int) -> Excerpt:
    """The excerpt of a line around its characters from `start`, counted from 0, to before `end`.
    Secret characters must have been replaced by HIDDEN."""
    low = max(0, start - BEFORE_MARK) if len(line) > LONGEST else 0
    high = min(len(line), low + LONGEST)
    text = LEFT_OUT if low else ""
    first = last = mask_at = -1
    for index in range(low, high):
        is_hidden = line[index] == HIDDEN
        if is_hidden and (index == low or line[index - 1] != HIDDEN):
            mask_at = len(text)
            text += MASK
        if index == start:
            first = mask_at if is_hidden else len(text)
        if not is_hidden:
            text += _printable(line[index])
        if index < end:
            last = len(text)
    if first < 0:  # behind the end of the line
        first, last = len(text), 0
    return Excerpt(text + (LEFT_OUT if high < len(line) else ""), first, max(last, first + 1))


def _printable(letter: str) -> str:
    if letter == "\t":
        return TAB
    return letter if letter.isprintable() else "\ufffd"
