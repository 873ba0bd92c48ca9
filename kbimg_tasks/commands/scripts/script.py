"""Stages as shell scripts that do what the runner does. Pure: text from values.

Each command is the one that the runner would run. Namespaces, environment and publishing are
functions of `data/plan/environment.sh`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from kbimg_tasks.build import environment
from kbimg_tasks.host.containment import BUILDER, CONTAINMENT
from kbimg_tasks.steps.args import PRIVATE_MODE, Base, Secret, Text
from kbimg_tasks.steps.programs import programs
from kbimg_tasks.steps.render import Renderer, Shell, command, published
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step

WIDTH = 100
INDENT, MORE = "    ", " \\"
_PLAIN = re.compile(r"[\w%+,./:@-][\w%+,./:=@-]*")
_MARK = re.compile(r"@([A-Z][A-Z_]*)@")
# Programs that the scripts run in addition to those of the steps.
OWN_PROGRAMS = ("env", "find", "mktemp", "realpath", "setsid", "stty")

HEAD = """set -eu
PLAN=$(dirname "$(realpath "$0")")
# shellcheck source=/dev/null
. "$PLAN/environment.sh"
"""


def stage(made: Stage) -> str:
    """The script of one stage."""
    rendered = Shell(made)
    parts = [f"#!/bin/sh\n# {made.name}: {made.summary}\n{_files(made)}{HEAD}"]
    if made.protected:
        places = [quoted(f"{published(one)}/{one.name}") for one in made.artifacts]
        there = " && ".join(f"[ -e {place} ]" for place in places)
        parts.append(
            f"# Protected: what is there is not made again.\nif {there}; then\n{INDENT}exit 0\nfi\n"
        )
    parts.append("".join(_beginning(made)))
    parts += [step(one, rendered) for one in made.steps]
    parts.append("".join(_publishing(made)) + "finish\n")
    return "\n".join(parts)


def _files(made: Stage) -> str:
    rows = [
        ("makes", [artifact.name for artifact in made.artifacts]),
        ("from", [f"{artifact.name} of {artifact.stage}" for artifact in made.needs()]),
    ]
    return "#\n" + "".join(
        _wrapped([f"# {title}:", *_listed(items)], "#" + INDENT) for title, items in rows if items
    )


def _listed(items: Sequence[str]) -> list[str]:
    return ", ".join(items).split(" ")


def _beginning(made: Stage) -> Iterator[str]:
    """The commands that make the empty folder and check the prerequisites."""
    yield f"begin {made.name}\n"
    needed = [f"{published(artifact)}/{artifact.name}" for artifact in made.needs()]
    rendered = Shell(made)
    needed += [
        rendered.source(source) for source in made.sources() if source not in made.implicit_inputs
    ]
    if needed:
        yield _command(["need", *map(quoted, needed)])
    if asked := secrets([made]):
        yield _command(["secrets", *map(quoted, asked)])
    for cache in made.locations(Base.CACHE):
        yield f"(umask 022 && mkdir --parents {quoted(rendered.location(cache))})\n"


def step(done: Step, rendered: Renderer) -> str:
    """The command of one step, wrapped."""
    words = ["step", *(f"{name}={quoted(rendered.text(value))}" for name, value in done.env)]
    words += map(quoted, command(done, rendered))
    behind = ""
    if done.stdout is not None:
        words += [f"> {quoted(rendered.text(done.stdout))}"]
    if isinstance(done.stdin, Secret):
        words += [f"< {quoted('$KBIMG_SECRETS/' + done.stdin.name)}"]
    elif isinstance(done.stdin, Text):
        end = delimiter(done.stdin.text)
        words += [f"<< '{end}'"]
        behind = f"{done.stdin.text}{end}\n"
    elif done.stdin is not None:
        words += [f"< {quoted(rendered.text(done.stdin))}"]
    return _command(words) + behind


def delimiter(text: str) -> str:
    """A line that does not occur in the text, to end it as a here-document."""
    assert not text or text.endswith("\n"), "a here-document has whole lines"
    end = "END"
    while end in text.splitlines():
        end += "_"
    return end


def _publishing(made: Stage) -> Iterator[str]:
    """The commands that set modes and times of the artifacts and move them to their places."""
    rendered = Shell(made)
    printed = [one.stdout for one in made.steps]
    for artifact in made.artifacts:
        place = quoted(rendered.artifact(artifact))
        if artifact in printed and artifact.output_mode != PRIVATE_MODE:
            yield f"chmod {artifact.output_mode:o} {place}\n"
        if made.clamps_times(artifact):
            yield f"age {place} {quoted(rendered.text(made.clock))}\n"
        yield f"publish {place} {quoted(published(artifact))}\n"


def quoted(text: str) -> str:
    """An argument for the shell, from text that is valid between double quotes."""
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def _command(words: Sequence[str]) -> str:
    """One command, wrapped; a program that is run by another one begins a line."""
    return _wrapped(words, INDENT, MORE, begin='"$PYTHON"', end="--")


def _wrapped(
    words: Sequence[str], indent: str, more: str = "", begin: str = "", end: str = ""
) -> str:
    lines = [words[0]]
    last = words[0]
    for word in words[1:]:
        fits = len(lines[-1].rpartition("\n")[2]) + 1 + len(word) + len(more) <= WIDTH
        is_first = word == begin and last != "step"
        if fits and not is_first and last != end:
            lines[-1] += f" {word}"
        else:
            lines[-1] += more
            lines.append(f"{indent}{word}")
        last = word
    return "\n".join(lines) + "\n"


def secrets(stages: Iterable[Stage]) -> tuple[str, ...]:
    """The names of the secrets that the stages are fed."""
    return tuple(
        dict.fromkeys(arg.name for made in stages for arg in made.args() if isinstance(arg, Secret))
    )


def tools(stages: Iterable[Stage]) -> tuple[str, ...]:
    """The names of kbimg's own tools that the stages run."""
    return tuple(sorted({tool for made in stages for tool in made.tools()}))


def data(stages: Iterable[Stage]) -> tuple[str, ...]:
    """The names of kbimg's data files that the stages read."""
    return tuple(sorted({file.name for made in stages for file in made.locations(Base.DATA)}))


def names(stages: Sequence[Stage]) -> tuple[str, ...]:
    """The name of each stage's script, numbered in their order."""
    digits = len(str(len(stages)))
    return tuple(f"{number:0{digits}}-{made.name}" for number, made in enumerate(stages, 1))


def common(template: str, cache: str, python: str) -> str:
    """The text of environment.sh, which all scripts read first. The package cache and the
    interpreter are those of this machine unless the user sets others."""
    passed_on = [f'${{{name}+"{name}=${name}"}}' for name in environment.PASSED_ON]
    fixed = [f"{name}={value}" for name, value in environment.FIXED.items()]
    return _filled(
        template,
        {
            "CACHE": shlex.quote(cache),
            "PYTHON": shlex.quote(python),
            "BUILDER": BUILDER,
            "PASSED_ON": _lines(passed_on, 3),
            "FIXED": _lines(fixed, 3),
            "CONTAINMENT": _lines(map(shlex.quote, CONTAINMENT), 3),
        },
    )


def run_all(template: str, image: str, summary: str, stages: Sequence[Stage]) -> str:
    """The text of build.sh, which runs the scripts of all stages."""
    asked = secrets(stages)
    wanted = sorted({*OWN_PROGRAMS, *(" ".join(one.names) for one in programs(stages))})
    return _filled(
        template,
        {
            "IMAGE": image,
            "SUMMARY": summary,
            "SECRETS_TOLD": "\n".join(f"#     {name}" for name in asked) or "#     (none)",
            "SECRETS": _command(["secrets", *map(shlex.quote, asked)]).rstrip() if asked else "",
            "PROGRAMS": _lines(map(shlex.quote, wanted), last=""),
            "TOOLS": _lines(tools(stages), last=""),
            "STAGES": "\n".join(f"stage {name}" for name in names(stages)),
        },
    )


def _lines(words: Iterable[str], depth: int = 1, last: str = MORE) -> str:
    """Arguments of a command, several on each line."""
    indent = INDENT * depth
    first, *others = [*words] or [""]
    return _wrapped([f"{indent}{first}", *others], indent, MORE).rstrip("\n") + last


def _filled(template: str, values: dict) -> str:
    return _MARK.sub(lambda mark: values[mark[1]], template)
