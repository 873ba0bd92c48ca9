"""Tab completion of `kbimg`. `kbimg completion SHELL` prints the part that the shell evaluates.

Libraries are imported when they are needed, because the user is waiting. The shell discards output,
and after an exception there are no completions.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kbimg_tasks.session.request import FILE, FOLDER, KNOWN

SHELLS = ("bash", "zsh")
# Set by the shell code of argcomplete when it asks for completions.
ASKED = "_ARGCOMPLETE"


def code(shell: str) -> str:
    """The code that the shell evaluates."""
    import argcomplete

    return argcomplete.shellcode(["kbimg"], shell=shell).strip()


def answer_if_asked(parser: argparse.ArgumentParser) -> None:
    """When the shell asks for completions, print them and end this process."""
    if ASKED in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)


def configurations(prefix: str, **_: Any) -> list[str]:
    """TOML files and directories."""
    return _files(prefix, "toml")


def variables(prefix: str, **_: Any) -> list[str]:
    """Names of `NAME=VALUE`, or values if the name is complete."""
    name, is_named, begun = prefix.partition("=")
    if not is_named:
        return [f"{known}=" for known in KNOWN]
    word = KNOWN.get(name)
    if word is None:
        return []
    values: Iterable[str] = word.choices
    if word.value in (FILE, FOLDER):
        values = _files(begun, *(("toml",) if name == "config" else ()))
        if word.value == FOLDER:
            values = [path for path in values if path.endswith("/")]
    return [f"{name}={value}" for value in values]


def tasks(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterator[str]:
    """Arguments of doit: its commands unless one is given, tasks, and NAME=VALUE."""
    yield from variables(prefix)
    if "=" in prefix:
        return
    from kbimg_tasks.tasks import loader

    words = list(getattr(parsed_args, "words", None) or ())
    if not words:
        yield from loader.command_names()
    yield from loader.task_names(words, Path.cwd())


def _files(prefix: str, *suffixes: str) -> list[str]:
    from argcomplete.completers import FilesCompleter

    return FilesCompleter(suffixes)(prefix)
