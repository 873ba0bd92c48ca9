"""Reads a TOML file: its values with their places, or an error."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import tomli
from attrs import frozen

from kbimg_tasks.config import redaction, spans
from kbimg_tasks.config.document import Document
from kbimg_tasks.diagnostics.problem import ConfigError, Problem, Span
from kbimg_tasks.tools.units import MIB

LARGEST_BYTES = MIB
# Python reads no longer numbers in decimal (https://docs.python.org/3/library/stdtypes.html#int-max-str-digits).
LONGEST_NUMBER = 4300
PLACE = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")


@frozen
class Parsed:
    """The values of a file, and their places."""

    values: dict[str, Any]
    document: Document


def read(path: Path, shown: str) -> Parsed:
    """Read a file, which is `shown` in messages. Raises ConfigError."""
    text = _text(path, shown)
    try:
        values = tomli.loads(text)
        scanned = spans.scan(text)
        return Parsed(values, Document(shown, redaction.lines(text, scanned), scanned.places))
    except tomli.TOMLDecodeError as error:
        # Newer versions of tomli have the place as attributes; all versions have it in the message.
        found = PLACE.fullmatch(str(error))
        message = found[1] if found else str(error)
        document = Document(shown, redaction.lines_of_broken(text))
        line, column = (int(found[2]), int(found[3])) if found and found[2] else _end(text)
        raise ConfigError(
            [document.problem_in(Span(line, column, line, column + 1), "", f"not TOML: {message}")]
        ) from None
    except RecursionError:
        raise _refused(shown, "not a configuration: nested too deeply") from None
    except ValueError:
        digits = re.search(rf"[0-9_]{{{LONGEST_NUMBER},}}", text)
        line_number = text.count("\n", 0, digits.start()) + 1 if digits else 0
        raise _refused(
            shown,
            "not a configuration: an integer out of range",
            line_number,
            Document(shown, redaction.lines_of_broken(text)),
        ) from None


def name_as_typed(path: Path, started_in: Path) -> str:
    """A file's name relative to the directory in which the command was started."""
    full = os.path.abspath(started_in / path)
    below = os.path.join(os.path.abspath(started_in), "")
    return full[len(below) :] if full.startswith(below) else str(path)


def _text(path: Path, shown: str) -> str:
    content = _content(path, shown)
    if len(content) > LARGEST_BYTES:
        raise _refused(shown, f"expected a configuration, found more than {LARGEST_BYTES} bytes")
    if content.startswith(b"\xef\xbb\xbf"):
        raise _refused(
            shown, "expected TOML, found a byte order mark before it; save as UTF-8 without BOM", 1
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _end(content[: error.start].decode("utf-8") + "?")  # in the byte's place
        document = Document(shown, redaction.lines_of_broken(content.decode("utf-8", "replace")))
        raise ConfigError(
            [
                document.problem_in(
                    Span(line, column - 1, line, column),
                    "",
                    f"expected UTF-8, as TOML demands, found the byte 0x{content[error.start]:02x}",
                )
            ]
        ) from None


def _content(path: Path, shown: str) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _refused(shown, "expected a configuration file, found a directory")
        if not stat.S_ISREG(mode):
            raise _refused(shown, "expected a configuration file, found a device or pipe")
        with open(path, "rb") as stream:
            return stream.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise _refused(
            shown, "no such configuration file; name one with config=FILE, or with kbimg's -f FILE"
        ) from None
    except OSError as error:
        raise _refused(shown, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise _refused(shown, "cannot be read: no name has a zero byte") from None


def _refused(
    shown: str, message: str, line: int = 0, document: Document | None = None
) -> ConfigError:
    if document is None:
        return ConfigError([Problem(shown, line, "", message)])
    return ConfigError([document.problem_in(document.whole(line), "", message)])


def _end(text: str) -> tuple[int, int]:
    """The line and column behind the last line that says something."""
    text = text.rstrip("\r\n")
    return text.count("\n") + 1, len(text) - text.rfind("\n")
