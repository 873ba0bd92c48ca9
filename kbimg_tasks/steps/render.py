"""A step's arguments as text: real paths for running it, symbols for its fingerprint."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from typing import Callable, NoReturn

from kbimg_tasks.host.installation import DATA
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import (
    Arg,
    Artifact,
    Cache,
    Content,
    Data,
    Joined,
    OneOf,
    Scratch,
    Secret,
    Source,
    Stage,
    Step,
    Text,
    Tool,
    Unhashed,
)

# The text of one argument. For a tool it is the Python interpreter; `command` adds the module.
Renderer = Callable[[Arg], str]
UNHASHED = "$MANNER"


def symbolic(stage: Stage) -> Renderer:
    """Renders for fingerprints: the text does not depend on where the output directory and the
    user's files are."""

    def text(arg: Arg) -> str:
        if isinstance(arg, str):
            return arg
        if isinstance(arg, Joined):
            return "".join(text(part) for part in arg.parts)
        if isinstance(arg, Content):
            return f"$(cat {text(arg.artifact)})"
        if isinstance(arg, Artifact):
            place = "$WORK" if arg.stage == stage.name else f"$OUT/{arg.stage}"
            return f"{place}/{arg.name}"
        if isinstance(arg, Scratch):
            return f"$WORK/{arg.name}"
        if isinstance(arg, Source):
            return f"$SOURCE/{arg.path.name}"
        if isinstance(arg, Data):
            return f"$DATA/{arg.name}"
        if isinstance(arg, Tool):
            return "python3"
        if isinstance(arg, OneOf):
            return arg.names[0]
        if isinstance(arg, Unhashed):
            return UNHASHED
        if isinstance(arg, Cache):
            return f"$CACHE/{arg.name}"
        assert_never(arg)

    return text


def actual(stage: Stage, layout: Layout) -> Renderer:
    """Renders for running: real paths, and the text of the files of `Content`."""

    def text(arg: Arg) -> str:
        if isinstance(arg, str):
            return arg
        if isinstance(arg, Joined):
            return "".join(text(part) for part in arg.parts)
        if isinstance(arg, Content):
            with open(text(arg.artifact), encoding="utf-8") as stream:
                return stream.read().strip()
        if isinstance(arg, Artifact):
            own = arg.stage == stage.name
            return str(layout.unpublished(arg) if own else layout.published(arg))
        if isinstance(arg, Scratch):
            return str(layout.partial(stage.name) / arg.name)
        if isinstance(arg, Source):
            return str(arg.path)
        if isinstance(arg, Data):
            return str(DATA / arg.name)
        if isinstance(arg, Tool):
            return sys.executable
        if isinstance(arg, Unhashed):
            return arg.word
        if isinstance(arg, OneOf):
            return next((name for name in arg.names if shutil.which(name)), arg.names[0])
        if isinstance(arg, Cache):
            return str(layout.cache / arg.name)
        assert_never(arg)

    return text


def shell(stage: Stage) -> Renderer:
    """Renders for the stage's script: text between double quotes, with the script's variables."""

    def text(arg: Arg) -> str:
        if isinstance(arg, str):
            return _escaped(arg)
        if isinstance(arg, Joined):
            return "".join(text(part) for part in arg.parts)
        if isinstance(arg, Content):
            return f'$(cat "{text(arg.artifact)}")'
        if isinstance(arg, Artifact):
            return f"{'$WORK' if arg.stage == stage.name else published(arg)}/{arg.name}"
        if isinstance(arg, Scratch):
            return f"$WORK/{arg.name}"
        if isinstance(arg, Source):
            return _escaped(str(arg.path))
        if isinstance(arg, Data):
            return f"$PLAN/data/{arg.name}"
        if isinstance(arg, Tool):
            return "$PYTHON"
        if isinstance(arg, OneOf):
            return f"$(first_of {' '.join(arg.names)})"
        if isinstance(arg, Unhashed):
            return _escaped(arg.word)
        if isinstance(arg, Cache):
            return f"$CACHE/{arg.name}"
        assert_never(arg)

    return text


def assert_never(value: NoReturn) -> NoReturn:
    """Ends a chain of cases: mypy reports a kind that none of them is about. The one of `typing`
    is there from Python 3.11 on."""
    raise AssertionError(f"unexpected {value!r}")


def published(artifact: Artifact) -> str:
    """The folder of a published artifact, as a script names it."""
    return "$OUT" if artifact.is_result else f"$STAGES/{artifact.stage}"


def _escaped(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def command(step: Step, text: Renderer) -> Iterator[str]:
    """The whole argument list of a step, with its wrappers, as text."""
    for arg in step.command:
        yield text(arg)
        if isinstance(arg, Tool):
            yield from ("-m", arg.module)


def command_line(step: Step, text: Renderer) -> str:
    """The step in shell syntax; a secret is read from a file that the user provides."""
    words = [f"{name}={shlex.quote(text(value))}" for name, value in step.env]
    for word in command(step, text):
        # Consecutive unhashed arguments count as one, however many there are.
        if word != UNHASHED or words[-1:] != [UNHASHED]:
            words.append(word if word == UNHASHED else shlex.quote(word))
    if step.stdout is not None:
        words.append("> " + shlex.quote(text(step.stdout)))
    if step.stdin is not None:
        words.append(_input(step, text))
    return " ".join(words)


def _input(step: Step, text: Renderer) -> str:
    if isinstance(step.stdin, Secret):
        return f'< "$KBIMG_SECRETS/{step.stdin.name}"'
    if isinstance(step.stdin, Text):
        return f"<< 'END'\n{step.stdin.text}END\n"
    assert step.stdin is not None
    return "< " + shlex.quote(text(step.stdin))
