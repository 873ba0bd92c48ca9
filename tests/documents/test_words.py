"""The commands that pages name in their text: each consists of words that doit and kbimg know."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import DEMO, TOP, run_doit
from pages import blocks, spans

from kbimg_tasks.cli import main
from kbimg_tasks.commands.diff import diff
from kbimg_tasks.session.request import KNOWN

PAGES = sorted((*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")))
# What stands for something that the reader fills in.
PLACEHOLDER = re.compile(r"[A-Z0-9_:./|]*[A-Z]{2}[A-Z0-9_:./|]*|…|\.\.\.")
DOIT_VERBS = {"list", "info", "clean", "help", "run", "forget", "ignore", "tabcompletion"}
DOIT_OPTIONS = {"-n", "-P", "-f", "-v", "--verbosity", "-s", "--status", "--all", "--shell"}
VALUED = {"-P", "-f", "--file", "-v", "--verbosity", "--shell", "--ssh-port", "--memory"}


def commands(page: Path) -> Iterator[str]:
    """The commands that a page shows in any place."""
    yield from spans(page)
    for block in blocks(page):
        if block.language == "console":
            yield from (command.text for command in block.commands)
        elif block.is_typed or not block.language:
            yield from block.text.replace("\\\n", " ").splitlines()


def found() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every command of doit or kbimg, with its words; what is optional is one of them."""
    for page in PAGES:
        for text in commands(page):
            words = re.sub(r"[\[\]]|(?<=\w)\|(?=\w)", " ", re.sub(r"^[$#] ", "", text))
            if not re.match(r"(\.ci/setup )?(doit|kbimg)( |$)", words):
                continue
            try:
                split = shlex.split(words.removeprefix(".ci/setup "), comments=True)
            except ValueError:  # a name and no command
                continue
            yield str(page.relative_to(TOP)), tuple(split)


@pytest.fixture(scope="module")
def tasks() -> set[str]:
    """All tasks and stages that any configuration has."""
    return {
        line.split()[0]
        for config in DEMO.glob("*.toml")
        for line in run_doit(DEMO, "list", f"config={config}").stdout.splitlines()
    }


def unknown(words: tuple[str, ...], tasks: set[str]) -> tuple[str, ...]:
    """The words of a command that mean nothing."""
    program, *rest = words
    if words[:2] == ("kbimg", "diff"):  # two names, and options
        known = {*rest[1:3], "diff", *_options(diff.parser())}
        return tuple(word for word in rest if word not in known)
    known = {*tasks, *DOIT_VERBS, *DOIT_OPTIONS}
    parser = main.parser()
    verbs = next(action.choices for action in parser._actions if action.dest == "verb")
    if program == "kbimg" and "doit" in rest:
        known.add("doit")
    elif program == "kbimg":
        known = {*verbs, *main.images(), *_options(parser)}
        for verb in filter(verbs.__contains__, rest):
            known |= _options(verbs[verb])
    return tuple(
        word
        for before, word in zip(("", *rest), rest)
        if word not in known
        and before not in VALUED
        and not PLACEHOLDER.fullmatch(word)
        and not ("=" in word and word.split("=")[0] in {*KNOWN, "NAME"})
        and not (before == "-n" and word.isdecimal())
    )


def _options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def test_every_word_means_something(tasks: set[str]):
    wrong = {
        (page, words): strange for page, words in set(found()) if (strange := unknown(words, tasks))
    }
    assert not wrong, "\n".join(
        f"{page}: {shlex.join(words)}: {' '.join(strange)}"
        for (page, words), strange in sorted(wrong.items())
    )
    assert len(set(found())) > 50


@pytest.mark.parametrize(
    "words",
    [
        ("doit", "vm-img"),
        ("doit", "vm_img", "conf=x"),
        ("kbimg", "build"),
        ("kbimg", "create", "-c", "x", "vm-img"),
        ("kbimg", "diff", "a", "b", "--every"),
        ("kbimg", "doit", "stoer"),
    ],
)
def test_what_means_nothing_is_found(tasks: set[str], words: tuple[str, ...]):
    assert unknown(words, tasks)
