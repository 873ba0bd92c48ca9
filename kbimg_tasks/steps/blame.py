"""Which option of the configuration to blame when a step fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from kbimg_tasks.diagnostics.problem import Option


@frozen
class Blame:
    """An option to blame when a step fails: whatever the failure or, with `pattern`, a regular
    expression, only if a line of the program's output matches it. The error message is `message`,
    or else the text that matched, or the last line of the output."""

    option: Option
    pattern: str = ""
    message: str = ""

    def message_for(self, output: Sequence[str]) -> str | None:
        """The error message for the output of a failed step; None if the option is not to
        blame."""
        found = [
            match.group()
            for line in reversed(output)
            if (match := re.search(self.pattern or ".+", line))
        ]
        if self.pattern and not found:
            return None
        return self.message or next(iter(found), "the command failed without a message")


def blamed(blames: Iterable[Blame], output: Sequence[str]) -> Iterator[tuple[Option, str]]:
    """The options to blame for a failed step, with their error messages."""
    for blame in blames:
        message = blame.message_for(output)
        if message is not None:
            yield blame.option, message
