"""What TAB offers behind `kbimg`. The shell's part is printed by `kbimg completion SHELL`.

Nothing heavy is imported until it is needed: the user is waiting. Whatever is printed here would be
lost, and a mistake offers nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kbimg_tasks.session.request import FILE, FOLDER, KNOWN

SHELLS = ("bash", "zsh")
# What argcomplete's shell code sets when it asks.
ASKED = "_ARGCOMPLETE"


def code(shell: str) -> str:
    """The shell's part; the shell evaluates it."""
    import argcomplete

    return argcomplete.shellcode(["kbimg"], shell=shell).strip()


def answer_if_asked(parser: argparse.ArgumentParser) -> None:
    """Where it is the shell that asks, answer and end this process."""
    if ASKED in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)


def configurations(prefix: str, **_: Any) -> list[str]:
    """TOML files, and directories on the way to one."""
    return _files(prefix, "toml")


def variables(prefix: str, **_: Any) -> list[str]:
    """NAME= as far as the name is not there, and then values."""
    name, is_named, begun = prefix.partition("=")
    if not is_named:
        return [f"{known}=" for known in KNOWN]
    word = KNOWN.get(name)
    if word is None:
        return []
    values: Sequence[str] = word.choices
    if word.value in (FILE, FOLDER):
        values = _files(begun, *(("toml",) if name == "config" else ()))
        if word.value == FOLDER:
            values = [path for path in values if path.endswith("/")]
    return [f"{name}={value}" for value in values]


def tasks(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterator[str]:
    """Words of doit: its commands where none is yet, tasks, and NAME=VALUE."""
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
