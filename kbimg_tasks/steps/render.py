"""A step's arguments as text: real paths for running it, symbols for its fingerprint."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from kbimg_tasks.host.installation import DATA
from kbimg_tasks.steps.args import (
    Arg,
    Artifact,
    Base,
    Content,
    Joined,
    Location,
    Program,
    Secret,
    Text,
    Unhashed,
    UserFile,
)
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step

UNHASHED = "$UNHASHED"


class Renderer(ABC):
    """Renders a stage's arguments as text, one way of rendering a class."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def text(self, arg: Arg) -> str:
        """The text of one argument. For one of kbimg's own programs it is the Python interpreter:
        `command` adds the module."""
        if isinstance(arg, str):
            return self.literal(arg)
        if isinstance(arg, Joined):
            return "".join(self.text(part) for part in arg.parts)
        if isinstance(arg, Artifact):
            return self.artifact(arg)
        if isinstance(arg, Location):
            return self.location(arg)
        if isinstance(arg, UserFile):
            return self.source(arg)
        if isinstance(arg, Program):
            return self.program(arg)
        if isinstance(arg, Content):
            return self.content(arg)
        if isinstance(arg, Unhashed):
            return self.unhashed(arg)
        assert_never(arg)

    @abstractmethod
    def literal(self, text: str) -> str:
        """Text that stands in the plan as it is."""

    @abstractmethod
    def artifact(self, arg: Artifact) -> str:
        """The path of an artifact of this stage or of another one."""

    @abstractmethod
    def location(self, arg: Location) -> str:
        """A path below a folder that kbimg knows."""

    @abstractmethod
    def source(self, arg: UserFile) -> str:
        """The path of a file of the user."""

    @abstractmethod
    def program(self, arg: Program) -> str:
        """A program's name or path."""

    @abstractmethod
    def content(self, arg: Content) -> str:
        """The text of a small file."""

    @abstractmethod
    def unhashed(self, arg: Unhashed) -> str:
        """An argument that is not part of the fingerprint."""


class Symbolic(Renderer):
    """Renders for fingerprints: the text does not depend on where the output directory and the
    user's files are."""

    def literal(self, text: str) -> str:
        return text

    def artifact(self, arg: Artifact) -> str:
        folder = "$WORK" if arg.stage == self.stage.name else f"$OUT/{arg.stage}"
        return f"{folder}/{arg.name}"

    def location(self, arg: Location) -> str:
        return f"${arg.base.name}/{arg.name}"

    def source(self, arg: UserFile) -> str:
        return f"$SOURCE/{arg.path.name}"

    def program(self, arg: Program) -> str:
        return arg.names[0]

    def content(self, arg: Content) -> str:
        return f"$(cat {self.text(arg.artifact)})"

    def unhashed(self, arg: Unhashed) -> str:
        return UNHASHED


class Actual(Renderer):
    """Renders for running: real paths, and the text of the files of `Content`."""

    def __init__(self, stage: Stage, layout: Layout) -> None:
        super().__init__(stage)
        self.layout = layout

    def literal(self, text: str) -> str:
        return text

    def artifact(self, arg: Artifact) -> str:
        own = arg.stage == self.stage.name
        return str(self.layout.unpublished(arg) if own else self.layout.published(arg))

    def location(self, arg: Location) -> str:
        folders = {
            Base.WORK: self.layout.partial(self.stage.name),
            Base.DATA: DATA,
            Base.CACHE: self.layout.cache,
        }
        return str(folders[arg.base] / arg.name)

    def source(self, arg: UserFile) -> str:
        return str(arg.path)

    def program(self, arg: Program) -> str:
        if arg.tool:
            return sys.executable
        return next((name for name in arg.names if shutil.which(name)), arg.names[0])

    def content(self, arg: Content) -> str:
        return Path(self.text(arg.artifact)).read_text(encoding="utf-8").strip()

    def unhashed(self, arg: Unhashed) -> str:
        return arg.word


class Shell(Renderer):
    """Renders for the stage's script: text between double quotes, with the script's variables."""

    def literal(self, text: str) -> str:
        return re.sub(r'([\\"$`])', r"\\\1", text)

    def artifact(self, arg: Artifact) -> str:
        folder = "$WORK" if arg.stage == self.stage.name else published(arg)
        return f"{folder}/{arg.name}"

    def location(self, arg: Location) -> str:
        folders = {Base.WORK: "$WORK", Base.DATA: "$PLAN/data", Base.CACHE: "$CACHE"}
        return f"{folders[arg.base]}/{arg.name}"

    def source(self, arg: UserFile) -> str:
        return self.literal(str(arg.path))

    def program(self, arg: Program) -> str:
        if arg.tool:
            return "$PYTHON"
        return f"$(first_of {' '.join(arg.names)})"

    def content(self, arg: Content) -> str:
        return f'$(cat "{self.text(arg.artifact)}")'

    def unhashed(self, arg: Unhashed) -> str:
        return self.literal(arg.word)


def assert_never(value: NoReturn) -> NoReturn:
    """Ends a chain of cases: mypy reports a kind that none of them is about. The one of `typing`
    is there from Python 3.11 on."""
    raise AssertionError(f"unexpected {value!r}")


def published(artifact: Artifact) -> str:
    """The folder of a published artifact, as a script names it."""
    return "$OUT" if artifact.is_result else f"$STAGES/{artifact.stage}"


def tool_module(tool: str) -> str:
    """The module of one of kbimg's own programs, for Python's `-m`."""
    return f"kbimg_tasks.tools.{tool}"


def command(step: Step, rendered: Renderer) -> Iterator[str]:
    """The whole argument list of a step, with its wrappers, as text."""
    for arg in step.command:
        yield rendered.text(arg)
        if isinstance(arg, Program) and arg.tool:
            yield from ("-m", tool_module(arg.tool))


def command_line(step: Step, rendered: Renderer) -> str:
    """The step in shell syntax; a secret is read from a file that the user provides."""
    words = [f"{name}={shlex.quote(rendered.text(value))}" for name, value in step.env]
    for word in command(step, rendered):
        # Consecutive unhashed arguments count as one, however many there are.
        if word != UNHASHED or words[-1:] != [UNHASHED]:
            words.append(word if word == UNHASHED else shlex.quote(word))
    if step.stdout is not None:
        words.append("> " + shlex.quote(rendered.text(step.stdout)))
    if step.stdin is not None:
        words.append(_input(step, rendered))
    return " ".join(words)


def _input(step: Step, rendered: Renderer) -> str:
    if isinstance(step.stdin, Secret):
        return f'< "$KBIMG_SECRETS/{step.stdin.name}"'
    if isinstance(step.stdin, Text):
        return f"<< 'END'\n{step.stdin.text}END\n"
    assert step.stdin is not None
    return "< " + shlex.quote(rendered.text(step.stdin))
