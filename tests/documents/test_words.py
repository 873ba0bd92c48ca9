"""The words of pages, messages and docstrings: commands use only words that doit and kbimg know,
and each thing has one standard term."""

from __future__ import annotations

import argparse
import re
import shlex
import tokenize
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
    """Every command of doit or kbimg with its words, including the optional ones."""
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
    """All tasks and stages of any configuration."""
    return {
        line.split()[0]
        for config in DEMO.glob("*.toml")
        for line in run_doit(DEMO, "list", f"config={config}").stdout.splitlines()
    }


def unknown(words: tuple[str, ...], tasks: set[str]) -> tuple[str, ...]:
    """The unknown words of a command."""
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


# What is never written, with the term that is used instead.
TERMS = {
    r"(former|existing) tool|tool before": "legacy kbimg",
    r"complain\w*": "error message",
    r"judg(e|es|ed|ing)": "check, validate",
    r"tells of|told by": "describes, reports",
    r"kept artifacts?": "protected",
    r"watches": "implicit inputs",
    r"checks first": "order-only",
    r"census": "metadata snapshot",
    r"hand(ed)?[ -]?overs?": "load, push",
    r"mend(s|ed|ing)?": "fix",
    r"sums?": "checksum",
    r"rooms?": "disk space, folder",
    r"manners?": "unhashed",
    r"unsynced": "nosync",
}
# Where such a word has its plain meaning, or is a name or text that reaches steps and images.
PLAIN = {"sum": ("kbimg_tasks/commands/report/layered.py",), "room": ("docs/generator/picture.py",)}
# Code in f-strings, which is no text.
CODE = re.compile(r"\{[^{}]*\}")


def texts() -> Iterator[tuple[str, str]]:
    """Every page, comment, docstring and other text with a space, with its file."""
    for page in PAGES:
        yield str(page.relative_to(TOP)), page.read_text(encoding="utf-8")
    for folder in ("kbimg_tasks", "docs/generator"):
        for path in sorted((TOP / folder).rglob("*.py")):
            with tokenize.open(path) as stream:
                for token in tokenize.generate_tokens(stream.readline):
                    name = tokenize.tok_name[token.type]
                    if name in ("COMMENT", "FSTRING_MIDDLE") or (
                        name == "STRING" and " " in token.string
                    ):
                        yield str(path.relative_to(TOP)), token.string
    for path in sorted((TOP / "config").rglob("*.toml")):
        yield str(path.relative_to(TOP)), path.read_text(encoding="utf-8")


def other_terms(text: str) -> list[tuple[str, str]]:
    """The non-standard terms in a text, each with the standard one."""
    plain = " ".join(re.sub(r"\n\s*#", " ", CODE.sub(" ", text)).split())
    return [
        (found[0].lower(), instead)
        for pattern, instead in TERMS.items()
        for found in re.finditer(rf"\b({pattern})\b", plain, re.IGNORECASE)
    ]


def test_each_thing_is_called_by_its_standard_term():
    seen = list(texts())
    found = {(file, *term) for file, text in seen for term in other_terms(text)}
    plain = {(file, word) for word, files in PLAIN.items() for file in files}
    wrong = sorted(each for each in found if each[:2] not in plain)
    assert not wrong, "\n".join(f"{file}: {word}: say {term}" for file, word, term in wrong)
    assert plain <= {each[:2] for each in found}, "a permission that nothing needs"
    assert len(seen) > 2000
    assert {"README.md", "docs/design.md", "kbimg_tasks/build/runner.py"} <= {
        file for file, _ in seen
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"""What the former\n    tool leaves."""', 1),
        ("# The tool before kbimg complains.", 2),
        ('f"{process.error_line(done)} failed"', 0),
        ("the SHA-256 sum of the index, a checksum", 1),
        ("# Make room, and start again.", 1),
        ("# fixed, checked and reported", 0),
    ],
)
def test_another_term_is_found(text: str, found: int):
    assert len(other_terms(text)) == found
