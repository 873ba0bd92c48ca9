"""The repository file, in dnf's format (dnf.conf(5)): the options that a build depends on.

It can contain passwords, in options and in URLs, so messages do not show its values.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from attrs import field, frozen

from kbimg_tasks.config import redaction
from kbimg_tasks.config.document import Document
from kbimg_tasks.config.quoting import quoted
from kbimg_tasks.config.repository import Repository
from kbimg_tasks.config.secret import Hidden
from kbimg_tasks.diagnostics.problem import ConfigError, Problem, Span
from kbimg_tasks.tools.units import MIB

SOURCES = ("baseurl", "mirrorlist", "metalink")
SWITCHES = ("enabled", "gpgcheck")
TRUE = ("1", "yes", "true", "on")
FALSE = ("0", "no", "false", "off")
MAIN = "main"  # options of dnf itself, which a repository file can also contain
IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]+")
SCHEMES = ("http", "https", "ftp", "file")
LARGEST_BYTES = MIB


def repositories(path: Path, shown: str = "") -> tuple[Repository, ...]:
    """The repositories of a file, which is `shown` in messages.

    Raises ConfigError with all errors if dnf could not install from it.
    """
    file = shown or str(path)
    text = _text(path, file)
    lines = _Lines(text, Document(file, redaction.lines_of_repository(text)))
    sections = {name: section for name, section in _parsed(text, lines).items() if name != MAIN}
    problems = [
        problem
        for name, section in sections.items()
        for problem in _section_problems(name, section, lines)
    ]
    found = tuple(_repository(name, section) for name, section in sections.items())
    if not any(repository.enabled for repository in found):
        problems.append(Problem(file, 0, "", "expected an enabled repository, found none"))
    if problems:
        raise ConfigError(problems)
    return found


def _text(path: Path, file: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _refused(file, 0, f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_BYTES:
        raise _refused(
            file, 0, f"expected a repository file, found more than {LARGEST_BYTES} bytes"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(
            file, line, f"expected UTF-8, found the byte 0x{content[error.start]:02x}"
        ) from None


def _parsed(text: str, lines: _Lines) -> dict[str, Mapping[str, str]]:
    parser = configparser.ConfigParser(
        interpolation=None, strict=True, delimiters=("=",), default_section=""
    )
    try:
        parser.read_string(text)
    except configparser.MissingSectionHeaderError as error:
        raise lines.refused(
            error.lineno, "expected a section such as [openEuler] before anything else"
        ) from None
    except configparser.DuplicateSectionError as error:
        raise lines.refused(error.lineno, f"[{error.section}]: given twice") from None
    except configparser.DuplicateOptionError as error:
        raise lines.refused(
            error.lineno, f"[{error.section}] {error.option}: given twice"
        ) from None
    except configparser.ParsingError as error:
        raise ConfigError(
            lines.of_line(line, "expected name=value, found no =")
            for line, _ in error.errors or [(0, "")]
        ) from None
    except (configparser.Error, AttributeError):
        # Some versions raise this for a continuation line without a value before it.
        raise lines.refused(0, "expected a repository file of dnf's format") from None
    return {name: parser[name] for name in parser.sections()}


def _section_problems(name: str, section: Mapping[str, str], lines: _Lines) -> list[Problem]:
    found = []
    if not IDENTIFIER.fullmatch(name):
        found.append(
            lines.problem(
                name,
                "",
                "expected a repository's name of letters, digits "
                f"and - _ . :, found {quoted(name)}",
            )
        )
    if not any(section.get(source, "").strip() for source in SOURCES):
        found.append(
            lines.problem(name, "", "expected one of baseurl, mirrorlist and metalink, found none")
        )
    for source in SOURCES:
        if not all(map(_is_address, _words(section.get(source, "")))):
            found.append(
                lines.problem(
                    name,
                    source,
                    "expected addresses such as https://repo.openeuler.org/, found another",
                )
            )
    for switch in SWITCHES:
        if section.get(switch, "1").strip().lower() not in TRUE + FALSE:
            found.append(lines.problem(name, switch, "expected 0 or 1, found neither"))
    return found


def _is_address(url: str) -> bool:
    if url.startswith(("/", "$")):
        return True
    try:
        return urlsplit(url).scheme in SCHEMES and ":/" in url
    except ValueError:  # brackets without an IPv6 address
        return False


def _repository(name: str, section: Mapping[str, str]) -> Repository:
    return Repository(
        id=name,
        baseurl=_words(section.get("baseurl", "")),
        mirrorlist=section.get("mirrorlist", "").strip() or None,
        metalink=section.get("metalink", "").strip() or None,
        enabled=section.get("enabled", "1").strip().lower() in TRUE,
        username=section.get("username", ""),
        password=Hidden(section["password"]) if "password" in section else None,
    )


def _words(value: str) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r"[\s,]+", value)))


@frozen
class _Lines:
    """Finds the lines of sections and options, which configparser does not keep."""

    text: str = field(repr=False)
    document: Document

    def problem(self, section: str, option: str, message: str) -> Problem:
        """A problem of an option's value, or of a section's header."""
        place = f"[{section}] {option}".rstrip()
        return self.document.problem_in(self._span(section, option), place, message)

    def of_line(self, line: int | None, message: str) -> Problem:
        """A problem of a whole line; without a line if it is unknown."""
        return self.document.problem_in(self.document.whole(line or 0), "", message)

    def refused(self, line: int | None, message: str) -> ConfigError:
        """The error with this only problem."""
        return ConfigError([self.of_line(line, message)])

    def _span(self, section: str, option: str) -> Span | None:
        head, current = 0, ""
        for number, line in enumerate(self.text.split("\n"), 1):
            header = configparser.ConfigParser.SECTCRE.match(line.strip())
            if header:
                current = header["header"]
            if current != section:
                continue
            head = head or number
            key, equals, value = line.partition("=")
            if option and equals and key.strip().lower() == option:
                start = len(line) - len(value.lstrip()) + 1
                return Span(number, start, number, max(len(line.rstrip()), start) + 1)
        return self.document.whole(head)


def _refused(file: str, line: int, message: str) -> ConfigError:
    return ConfigError([Problem(file, line, "", message)])
