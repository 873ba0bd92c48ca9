"""The text of the lines about ended stages and about the build."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from kbimg_tasks.diagnostics.figures import duration, size

# Columns of a line: status and name, time, size; then the description.
NAME_ENDS, TIME_WIDTH, SIZE_WIDTH = 28, 8, 9
INDENT = 8
# A narrower terminal has no space for descriptions and progress bars.
NARROW = 60
BAR_WIDTH = 16


@frozen
class Ended:
    """A stage or task that has ended: `made`, `done` (it makes no file), `FAILED` or `stopped`.

    `taken` is its time in seconds, `allocated` its disk space in bytes; None is unknown.
    """

    how: str
    stage: str
    taken: float | None = None
    allocated: int | None = None

    @property
    def figures(self) -> tuple[str, str]:
        """Its time and its size."""
        return (
            "" if self.taken is None else duration(self.taken),
            "" if self.allocated is None else size(self.allocated),
        )


def ended(one: Ended, words: str, columns: int | None = None) -> str:
    """One line, shortened to the number of columns."""
    if columns is not None and columns < NARROW:
        line = " ".join(filter(None, (f"{one.how:<{INDENT - 1}}", one.stage, *one.figures)))
    else:
        line = _row(f"{one.how:<{INDENT - 1}} {one.stage}", *one.figures, words)
    return fitting(line, columns)


def _row(name: str, taken: str, allocated: str, words: str) -> str:
    return (f"{name:<{NAME_ENDS}}{taken:>{TIME_WIDTH}}{allocated:>{SIZE_WIDTH}}  {words}").rstrip()


def fitting(line: str, columns: int | None) -> str:
    """The line, cut so that a terminal does not wrap it."""
    if columns is None or len(line) < columns:
        return line
    return f"{line[: max(columns - 2, 0)].rstrip()}…"


def cached(stages: Sequence[str], columns: int | None = None) -> str:
    """The stages that are up to date, on one line or wrapped to the columns."""
    names = ", ".join(stages)
    head = f"{'cached':<{INDENT}}"
    if columns is None:
        return f"{head}{names}"
    return textwrap.fill(
        names,
        max(columns - 1, INDENT + 1),
        initial_indent=head,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(stages: Sequence[Ended], bar: str, columns: int | None = None) -> Iterator[str]:
    """The stages with their times, the longest first; `bar` is the character of the bars."""
    longest = sorted(stages, key=lambda one: one.taken or 0, reverse=True)
    most = longest[0].taken or 1.0
    is_narrow = columns is not None and columns < NARROW
    yield fitting(_row(" " * INDENT + "stage", "time", "size", ""), columns)
    for one in longest:
        name, lasting = " " * INDENT + one.stage, round(BAR_WIDTH * (one.taken or 0) / most)
        yield fitting(_row(name, *one.figures, "" if is_narrow else bar * lasting), columns)


def results(found: Sequence[tuple[Path, int | None]]) -> Iterator[str]:
    """The results, with their paths and disk space."""
    longest = max((len(str(path)) for path, _ in found), default=0)
    for path, allocated in found:
        taken = "" if allocated is None else size(allocated)
        yield f"{' ' * INDENT}{path!s:<{longest}}{taken:>{SIZE_WIDTH}}".rstrip()
