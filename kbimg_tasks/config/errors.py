"""What is wrong with a configuration, in words that say what to change."""

from __future__ import annotations

from typing import Iterable, Tuple

from attrs import frozen


@frozen
class Problem:
    """One mistake: where it is, and what was expected and found there.

    `line` counts from 1, and is 0 where no line is to blame. `hint` says what may have been meant.
    """

    file: str
    line: int
    option: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        hint = f" ({self.hint})" if self.hint else ""
        return ": ".join(filter(None, (place, self.option, self.message))) + hint


class ConfigError(Exception):
    """All mistakes of a configuration; as text one line each, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        each = tuple(dict.fromkeys(problems))
        files = list(dict.fromkeys(problem.file for problem in each))
        self.problems: Tuple[Problem, ...] = tuple(
            sorted(each, key=lambda problem: (files.index(problem.file), problem.line)))
        super().__init__("\n".join(map(str, self.problems)))
