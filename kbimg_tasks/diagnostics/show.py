"""Problems in the style of a compiler: the line, the underlined place, a hint; or as JSON."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from kbimg_tasks.diagnostics.problem import Problem
from kbimg_tasks.diagnostics.terminal import COLOURS


@frozen
class Painter:
    """Renders problems as text, with or without colours."""

    has_colours: bool = False

    def text(self, problem: Problem) -> str:
        """One problem in a few lines."""
        head = self._in(problem.severity, problem.severity)
        what = problem.message
        if problem.option and problem.excerpt is None:
            what = f"{problem.option}: {what}"
        rows = [f"{head}{self._in('bold', f': {what}')}"]
        if problem.file:
            rows += self._place(problem)
        if problem.hint:
            rows.append(f"{self._in('help', 'help')}: {problem.hint}")
        return "\n".join(rows)

    def _place(self, problem: Problem) -> Iterable[str]:
        place = ":".join(
            [
                problem.file,
                *map(str, filter(None, (problem.line, problem.span.column if problem.span else 0))),
            ]
        )
        gap = " " * len(str(problem.line))
        yield f"{gap}{self._in('frame', '-->')} {place}"
        found = problem.excerpt
        if found:
            bar = self._in("frame", "|")
            before, marked = found.text[: found.start], found.text[found.start : found.end]
            carets = "^" * max(1, columns(marked))
            label = f"{carets} {problem.option}".rstrip()
            yield f"{gap} {bar}"
            yield f"{self._in('frame', str(problem.line))} {bar} {found.text}".rstrip()
            yield (f"{gap} {bar} {' ' * columns(before)}{self._in(problem.severity, label)}")

    def _in(self, colour: str, text: str) -> str:
        return f"\033[{COLOURS[colour]}m{text}\033[0m" if self.has_colours else text


def columns(text: str) -> int:
    """The number of terminal columns of a text: two for a wide character (Unicode annex 11), none
    for a combining character."""
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def document(problems: Iterable[Problem]) -> str:
    """All problems as one JSON document, a list. Lines and columns count from 1, and the end column
    is the first one after the place; null stands for a missing file or place."""
    return json.dumps([_entry(problem) for problem in problems], indent=2)


def _entry(problem: Problem) -> dict[str, Any]:
    span = problem.span
    place: dict[str, int | None] = {
        "line": problem.line or None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
    }
    return {
        "severity": problem.severity,
        "file": problem.file or None,
        **place,
        "option": problem.option,
        "message": problem.message,
        "hint": problem.hint,
    }
