"""What is wrong with a configuration, in words that say what to change."""

from __future__ import annotations

from typing import Iterable, Tuple

from attrs import frozen


@frozen
class Problem:
    """One mistake: where it is, and what was expected and found there."""

    file: str
    line: int
    option: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.option}: {self.message}" if self.option else (
            f"{place}: {self.message}")


class ConfigError(Exception):
    """All mistakes of a configuration; as text one line each, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Tuple[Problem, ...] = tuple(
            sorted(problems, key=lambda problem: (problem.file, problem.line)))
        super().__init__("\n".join(map(str, self.problems)))
