"""The lines of a build on a terminal: the running stages are below all others, and are redrawn.

The cursor is never hidden, so a killed build leaves the terminal usable.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from kbimg_tasks.diagnostics.figures import elapsed
from kbimg_tasks.diagnostics.terminal import may_colour, writable
from kbimg_tasks.progress.lines import BAR_WIDTH, INDENT, NAME_ENDS, NARROW, TIME_WIDTH
from kbimg_tasks.progress.running import Running

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

# A build with nothing to do ends before this time, without loading rich.
QUIET_SECONDS = 0.3


class Terminal:
    """Finished lines, and below them a row for each running stage."""

    def __init__(self, stream: TextIO, environment: Any) -> None:
        self._stream = stream
        self.has_colours = may_colour(stream, environment)
        self._live: Live | None = None
        self._waiting: list[str] = []
        self._drawn: tuple[object, ...] = ()
        self._rows: RenderableType = ""

    @property
    def columns(self) -> int:
        """The terminal's width, which can change at any time."""
        return self._live.console.width if self._live else shutil.get_terminal_size().columns

    def write(self, text: str, running: Sequence[Running], now: float) -> None:
        """Write whole lines, after those that wait."""
        text = "\n".join((*self._waiting, text))
        self._waiting = []
        text = f"{writable(text, self._stream)}\n"
        if self._live is None:
            self._stream.write(text)
            self._stream.flush()
            return
        self._set(running, now)
        self._live.console.print(_as_it_is(text), end="", soft_wrap=True)

    def stream(self, text: str, running: Sequence[Running], now: float) -> None:
        """Queue a line; queued lines are written together at the next drawing."""
        self._waiting.append(text)

    def draw(self, running: Sequence[Running], now: float) -> None:
        """Draw the rows of the running stages if they have changed."""
        if self._live is None and any(now - one.since >= QUIET_SECONDS for one in running):
            self._live = _live(self, self._stream, self.has_colours)
            self._live.start()
        if self._waiting:
            *self._waiting, last = self._waiting
            self.write(last, running, now)
        elif self._live and self._set(running, now):
            self._live.refresh()

    def close(self, now: float) -> None:
        """Delete the rows; all other lines stay."""
        live, self._live = self._live, None
        if live:
            live.stop()
        if self._waiting:
            *self._waiting, last = self._waiting
            self.write(last, (), now)

    def _set(self, running: Sequence[Running], now: float) -> bool:
        """Set the rows to draw. Returns whether they have changed."""
        assert self._live
        shown = (
            self._live.console.size,
            *((one.stage, one.detail, one.share, elapsed(now - one.since)) for one in running),
        )
        if shown == self._drawn:
            return False
        self._drawn = shown
        self._rows = _rows(running, now, self._live.console.width)
        return True

    def __rich__(self) -> RenderableType:
        """The current rows, for rich."""
        return self._rows


def _live(rows: RenderableType, stream: TextIO, has_colours: bool) -> Live:
    from rich.console import Console
    from rich.live import Live

    class Plainly(Console):
        """A terminal whose cursor stays visible."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    console: Console = Plainly(
        file=stream,
        force_terminal=True,
        no_color=not has_colours,
        highlight=False,
        markup=False,
        emoji=False,
    )
    return Live(
        rows,
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="ellipsis",
    )


def _as_it_is(text: str) -> RenderableType:
    from rich.console import ConsoleOptions, RenderResult
    from rich.segment import Segment

    class AsItIs:
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            yield Segment(text)

    return AsItIs()


def _rows(running: Sequence[Running], now: float, columns: int) -> RenderableType:
    """A row for each running stage: its name, time, progress bar and detail."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    is_narrow = columns < NARROW
    indent = 0 if is_narrow else INDENT
    name = max((len(one.stage) for one in running), default=0) if is_narrow else NAME_ENDS - INDENT
    widths = [indent, name, TIME_WIDTH, 2]
    has_bars = not is_narrow and any(one.share is not None for one in running)
    widths += [BAR_WIDTH, 2] if has_bars else []
    table = Table.grid(padding=0)
    for width in widths:
        table.add_column(width=width, no_wrap=True, overflow="ellipsis")
    # Rows are as short as possible: a terminal that becomes narrower wraps long ones.
    table.add_column(max_width=max(columns - 1 - sum(widths), 1), no_wrap=True, overflow="ellipsis")
    for one in running:
        bar: list[RenderableType] = []
        if has_bars:
            bar = [
                ProgressBar(total=1.0, completed=one.share, width=BAR_WIDTH)
                if one.share is not None
                else "",
                "",
            ]
        table.add_row(
            "",
            Text(one.stage, style="bold"),
            Text(f"{elapsed(now - one.since):>{TIME_WIDTH}}"),
            "",
            *bar,
            Text(one.detail),
        )
    # The cursor is on an empty line, so an echoed ^C does not break a row.
    return Group(table, "") if running else ""
