"""Problems of a configuration, the command line or the host: the values that messages are made
of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

from attrs import frozen

from kbimg_tasks.diagnostics.excerpt import Excerpt

ERROR, WARNING = "error", "warning"
# The path of an option or table, such as ("users", 0) for `users[0]`.
Option = tuple[Union[str, int], ...]


@frozen
class Span:
    """A range of a file. Lines and columns count from 1, columns in characters; the end column is
    the first one after the range."""

    line: int
    column: int
    end_line: int
    end_column: int


@frozen
class Problem:
    """One error or warning: its place, and what was expected and found there.

    `line` counts from 1, and is 0 if the problem has no line; `file` is empty if it is in no file.
    `hint` suggests a correction. `span` is the place in the file, and `excerpt` the line with it,
    without secrets. A warning does not prevent a build.
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
        """A problem of the command line or of this host, without a file."""
        return cls("", 0, "", message)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        hint = f" ({self.hint})" if self.hint else ""
        return ": ".join(filter(None, (place, self.option, self.message))) + hint


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems without duplicates; those of one file together, in the order of its lines."""
    each = tuple(dict.fromkeys(problems))
    files = list(dict.fromkeys(problem.file for problem in each))
    return tuple(sorted(each, key=lambda problem: (files.index(problem.file), problem.line)))


class ConfigError(Exception):
    """All errors of a configuration; as text one line each, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))
