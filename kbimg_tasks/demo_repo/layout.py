"""The paths of a Debian package's files in a distribution with merged /usr."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

# Debian's packages still use the names that the package `filesystem` makes links of.
LINKED_INTO_USR = re.compile(r"^/(bin|sbin|lib(?:32|64|x32)?)(?=/|$)")


def merged(path: str) -> str:
    """The path below /usr that Debian's /bin, /sbin and /lib* lead to."""
    return LINKED_INTO_USR.sub(r"/usr/\1", path)


def placed(path: str, moves: Mapping[str, str]) -> str:
    """The path of a file of a Debian package: below /usr, then changed by the longest matching
    move."""
    path = merged(path)
    for beginning in sorted(moves, key=len, reverse=True):
        if path.startswith(beginning):
            return moves[beginning] + path[len(beginning) :]
    return path


def link_target(old: str, new: str, target: str) -> str:
    """The target for a symbolic link moved from `old` to `new`, so that it leads to the same
    file."""
    if target.startswith("/") or posixpath.dirname(old) == posixpath.dirname(new):
        return target
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(old), target))
    return posixpath.relpath(merged(meant), posixpath.dirname(new))


def is_dropped(path: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern covers the path or a folder above it; `*` also stands for slashes."""
    return any(
        fnmatchcase(path, pattern) or fnmatchcase(path, pattern + "/*") for pattern in patterns
    )
