"""What docs/reference/commands.md tells: the words of `kbimg`, doit's tasks, and NAME=VALUE."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Callable

from attrs import frozen

from kbimg_tasks.cli import main
from kbimg_tasks.commands.diff import diff
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.session.request import KNOWN, Argument
from kbimg_tasks.tasks.loader import Tasks

# Verbs whose words are read by a parser of their own.
APART: dict[str, Callable[[], argparse.ArgumentParser]] = {"diff": diff.parser}


@frozen
class Verb:
    """A command of `kbimg`: how it is typed, what it does, and its words with their meanings."""

    name: str
    usage: str
    doc: str
    words: tuple[tuple[str, str], ...]


def verbs() -> Iterator[Verb]:
    """`kbimg` itself, and then each of its verbs."""
    top = main.parser()
    yield verb("kbimg", top, main.DESCRIPTION)
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for listed in action._choices_actions:
                name = listed.dest
                parser = APART[name]() if name in APART else action.choices[name]
                yield verb(f"kbimg {name}", parser, listed.help or "")


def verb(name: str, parser: argparse.ArgumentParser, doc: str) -> Verb:
    """What a parser takes."""
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    usage = " ".join((name, *(_usage(action) for action in actions)))
    return Verb(
        name,
        usage,
        parser.description or doc,
        tuple(
            (_word(action), parser._get_formatter()._expand_help(action))
            for action in actions
            if action.help
        ),
    )


def _word(action: argparse.Action) -> str:
    """An option with all its names, or an argument."""
    value = "" if action.nargs == 0 else _value(action)
    return " ".join(filter(None, (", ".join(action.option_strings), value)))


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _usage(action: argparse.Action) -> str:
    if action.option_strings:
        word = " ".join(
            (action.option_strings[0], *([] if action.nargs == 0 else [_value(action)]))
        )
        return word if action.required else f"[{word}]"
    many = {"*": f"[{_value(action)} …]", "?": f"[{_value(action)}]", argparse.REMAINDER: "…"}
    return many.get(str(action.nargs), _value(action))


def words() -> tuple[tuple[str, Argument], ...]:
    """NAME=VALUE, each with its meaning."""
    return tuple(KNOWN.items())


def tasks() -> tuple[tuple[str, str], ...]:
    """What doit lists beside the stages; of the tasks that images consist of, the images."""
    loader = Tasks((), DATA)  # a directory without a configuration
    stages = {stage.name for stage in loader.command.plan.stages}
    listed = {
        task.name: task.doc or ""
        for task in loader.load_tasks(None, ())
        if not task.name.startswith("_") and task.name not in stages
    }
    assert set(KINDS) <= set(listed), listed
    return tuple(listed.items())
