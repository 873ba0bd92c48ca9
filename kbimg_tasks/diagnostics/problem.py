"""What is wrong with a configuration, in words that say what to change."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from kbimg_tasks.diagnostics.excerpt import Excerpt

ERROR, WARNING = "error", "warning"


@frozen
class Span:
    """A stretch of a file. Lines and columns count from 1, columns in characters; the end column is
    the first behind it."""

    line: int
    column: int
    end_line: int
    end_column: int


@frozen
class Problem:
    """One mistake: where it is, and what was expected and found there.

    `line` counts from 1, and is 0 where no line is to blame; `file` is empty where it is not a
    file's. `hint` says what may have been meant. `span` is the place in the file, and `excerpt` the
    line with it, in which nothing confidential is left. A warning keeps nothing from being built.
    """

    file: str
    line: int
    option: str
    message: str
    hint: str = ""
    span: Span | None = None
    excerpt: Excerpt | None = None
    severity: str = ERROR

    @classmethod
    def of_no_file(cls, message: str) -> Problem:
        """One of the command line or of this machine."""
        return cls("", 0, "", message)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        hint = f" ({self.hint})" if self.hint else ""
        return ": ".join(filter(None, (place, self.option, self.message))) + hint


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, those of a file together and in its order."""
    each = tuple(dict.fromkeys(problems))
    files = list(dict.fromkeys(problem.file for problem in each))
    return tuple(sorted(each, key=lambda problem: (files.index(problem.file), problem.line)))


class ConfigError(Exception):
    """All mistakes of a configuration; as text one line each, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))
