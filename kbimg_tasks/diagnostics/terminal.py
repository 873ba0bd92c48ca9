"""What a terminal or another stream can display: colours and characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from kbimg_tasks.diagnostics.problem import ERROR, WARNING

# Select Graphic Rendition (ECMA-48): bold, and red, yellow, blue or cyan with it.
COLOURS = {ERROR: "1;31", WARNING: "1;33", "frame": "1;34", "help": "1;36", "bold": "1"}


def may_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to use colours: on a terminal that supports them, unless NO_COLOR is set and not
    empty (https://no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def writable(text: str, stream: TextIO) -> str:
    """The text, with characters that the stream's encoding does not have escaped."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
