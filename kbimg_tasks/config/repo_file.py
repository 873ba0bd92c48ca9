"""The repository file: dnf's own format (dnf.conf(5)), read as far as a build must know it."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import List, Tuple

from attrs import frozen

from kbimg_tasks.config.errors import ConfigError, Problem

SOURCES = ("baseurl", "mirrorlist", "metalink")
FALSE = ("0", "no", "false", "off")


@frozen
class Repository:
    """One repository; its URLs may hold dnf's variables."""

    id: str
    baseurl: Tuple[str, ...]
    enabled: bool


def repositories(path: Path) -> Tuple[Repository, ...]:
    """The repositories of a file. Raises ConfigError when dnf could not install from it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), 0, "", f"cannot be read: {error}")]) from None
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or getattr(error, "errors", [(0, "")])[0][0]
        words = "not a repository file: " + " ".join(str(error).split())
        raise ConfigError([Problem(str(path), line, "", words)]) from None
    found, problems = [], []
    for name in parser.sections():
        if name == "main":
            continue
        section = parser[name]
        if not any(section.get(source) for source in SOURCES):
            problems.append(Problem(
                str(path), _line(text, name), name,
                "expected one of baseurl, mirrorlist and metalink, found none"))
        urls: List[str] = re.split(r"[\s,]+", section.get("baseurl", "").strip())
        enabled = section.get("enabled", "1").strip().lower() not in FALSE
        found.append(Repository(name, tuple(filter(None, urls)), enabled))
    if not any(repository.enabled for repository in found):
        problems.append(Problem(str(path), 0, "", "expected an enabled repository, found none"))
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _line(text: str, section: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() == f"[{section}]":
            return number
    return 0
