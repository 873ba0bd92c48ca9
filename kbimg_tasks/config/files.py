"""Finds the files that the configuration names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.config import elf
from kbimg_tasks.config.rules import Wrong
from kbimg_tasks.machine.architecture import X86_64

# These return False for names that are too long or cannot be read, and do not raise.
IS_THERE: dict[str, Callable[[str], bool]] = {
    "file": os.path.isfile,
    "program": os.path.isfile,
    "agent": os.path.isfile,
    "directory": os.path.isdir,
    "any": lambda path: os.path.isfile(path) or os.path.isdir(path),
}
WORDS = {
    "file": "a file",
    "program": "a program",
    "agent": "a file",
    "directory": "a directory",
    "any": "a file or directory",
}


@frozen
class Files:
    """Relative names are looked up in the first directory, then in the second."""

    started_in: Path
    beside_config: Path
    machine: str = X86_64.name

    def find(self, name: str, kind: str, *, must_exist: bool) -> Path:
        """The absolute path of the first existing file, or else of the first one tried.

        `kind` is "file", "directory", "any" of both, "program", or "agent", a program that may be a
        script. Raises Wrong, with every path tried, if it `must_exist` and does not, and if it
        cannot run on the image's architecture.
        """
        tried = self._candidates(name)
        for path in tried:
            if IS_THERE[kind](path):
                if must_exist and (kind == "program" or (kind == "agent" and elf.is_elf(path))):
                    elf.check(path, self.machine)
                return Path(path)
        if must_exist and "://" in name:  # which may hold a password
            raise Wrong(WORDS[kind], "files are not fetched", found="a URL")
        if must_exist:
            raise Wrong(WORDS[kind], "tried " + " and ".join(map(_described, tried)), found="none")
        return Path(tried[0])

    def _candidates(self, name: str) -> tuple[str, ...]:
        places = (self.started_in, self.beside_config)
        return tuple(dict.fromkeys(_absolute(os.path.join(place, name)) for place in places))


def _absolute(path: str) -> str:
    """The path without `..`, resolved as the kernel does; a link at its end is not followed."""
    parent, name = os.path.split(path.rstrip("/") or "/")
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(parent), name)


def _described(path: str) -> str:
    if os.path.isdir(path):
        return f"{path} [a directory]"
    return f"{path} [no directory]" if os.path.exists(path) else path
