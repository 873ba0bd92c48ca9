"""A configuration file for messages: its name, its lines, and the places of its options."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from kbimg_tasks.config.quoting import spelled
from kbimg_tasks.config.spans import Path, Place
from kbimg_tasks.diagnostics.excerpt import excerpt
from kbimg_tasks.diagnostics.problem import ERROR, Problem, Span


@frozen
class Document:
    """`file` is the name in messages; `lines` are without secrets (`redaction`)."""

    file: str = ""
    lines: tuple[str, ...] = field(default=(), repr=False)
    places: Mapping[Path, Place] = field(factory=dict, repr=False)

    def line(self, path: Path) -> int:
        """The line of an option, or of the nearest table around it; 0 if there is none."""
        found = self._nearest(path)
        return self.places[found].key.line if found else 0

    def problem(
        self,
        path: Path,
        message: str,
        hint: str = "",
        *,
        of_key: bool = False,
        severity: str = ERROR,
    ) -> Problem:
        """A problem at an option's value or, with `of_key`, at its key. An absent option is
        reported at the nearest table around it."""
        found = self._nearest(path)
        if not found:
            return Problem(self.file, 0, spelled(path), message, hint, severity=severity)
        place = self.places[found]
        is_value = found == path and not of_key and place.value is not None
        return self.problem_in(
            place.value if is_value else place.key, spelled(path), message, hint, severity
        )

    def problem_in(
        self, span: Span | None, option: str, message: str, hint: str = "", severity: str = ERROR
    ) -> Problem:
        """A problem at a span of the file, or of the whole file."""
        if span is None:
            return Problem(self.file, 0, option, message, hint, severity=severity)
        line = self.lines[span.line - 1]
        end = span.end_column - 1 if span.end_line == span.line else len(line)
        return Problem(
            self.file,
            span.line,
            option,
            message,
            hint,
            span,
            excerpt(line, span.column - 1, end),
            severity,
        )

    def whole(self, line: int) -> Span | None:
        """The span of a line without surrounding space; None for line 0."""
        if not line:
            return None
        text = self.lines[line - 1]
        start = len(text) - len(text.lstrip())
        return Span(line, start + 1, line, max(len(text.rstrip()), start) + 1)

    def _nearest(self, path: Path) -> Path:
        while path and path not in self.places:
            path = path[:-1]
        return path
