"""Which stages are made again when an option of the configuration changes.

Derived from the plans before and after the change, by the rules of `fingerprint`: a stage whose own
steps differ is made, and so is one that needs a large artifact of a stage that is made. Behind a
small artifact, whose identity is its content, a build may find that nothing changed and stop.
docs/reference/configuration.md tells it.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from docs.generator.option_samples import CHANGED, SAMPLE
from kbimg_tasks.build.fingerprint import own_text
from kbimg_tasks.config.document import Document
from kbimg_tasks.config.files import Files
from kbimg_tasks.config.model import ARRAYS, OF_THE_TREE, TABLES, Config
from kbimg_tasks.config.reader import Reader
from kbimg_tasks.config.tables import names
from kbimg_tasks.plan.images import Plan, plan
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE, KINDS
from kbimg_tasks.plan.root import Given
from kbimg_tasks.steps.args import Artifact, Secret, Size, UserFile
from kbimg_tasks.steps.stage import Stage


@frozen
class Influence:
    """The stages that are made for sure, and those that follow unless the build may stop."""

    sure: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()


def options() -> tuple[str, ...]:
    """Every option there is, as `table.option`, in the order of the model."""
    return tuple(
        f"{table}.{names(attribute)[0]}"
        for table, kind in {**TABLES, **ARRAYS}.items()
        for attribute in attrs.fields(kind)
    )


def changed(values: dict[str, Any], option: str) -> dict[str, Any]:
    """The tables of a file with the option's other value; the first table of an array gets it."""
    after = deepcopy(values)
    table, _, key = option.partition(".")
    place = after[table][0] if table in ARRAYS else after[table]
    place[key] = CHANGED[option]
    return after


def read(values: dict[str, Any]) -> Config:
    """The configuration in the tables of a file. The files that it names need not exist."""
    reader = Reader(Document(), Files(Path("/"), Path("/")), ())
    drafts = reader.tables(values)
    assert not reader.problems, reader.problems
    parts: dict[str, Any] = {
        name: tuple(ARRAYS[name](**one) for one in draft)
        if name in ARRAYS
        else TABLES[name](**draft)
        for name, draft in drafts.items()
    }
    return Config(Path("/kbimg.toml"), **parts)


def influence(before: Config, after: Config, image: str = DEFAULT_IMAGE) -> Influence:
    """What building an image of `after` makes when everything of `before` had been made."""
    old = {stage.name: tuple(_own_parts(stage)) for stage in _planned(before).stages}
    sure: dict[str, None] = {}
    possible: dict[str, None] = {}
    wanted = _planned(after)
    for stage in wanted.standing_under([image]) if image in wanted.images else ():
        if tuple(_own_parts(stage)) != old.get(stage.name) or any(
            need.stage in sure and _is_large(need) for need in stage.needs()
        ):
            sure[stage.name] = None
        elif any(need.stage in (*sure, *possible) for need in stage.needs()):
            possible[stage.name] = None
    return Influence(tuple(sure), tuple(possible))


def _planned(config: Config) -> Plan:
    """The plan, on a machine that has an engine to build on a base image."""
    admin = config.admin_container
    return plan(config, Given(builder="" if admin is None or admin.repo_path else "docker"))


def _own_parts(stage: Stage) -> Iterator[str]:
    """What `fingerprint` takes of the stage itself, with paths in place of the user's files."""
    yield from own_text(stage)
    for arg in stage.args():
        if isinstance(arg, Secret):
            yield arg.text
        elif isinstance(arg, UserFile):
            yield str(arg.path)


def _is_large(artifact: Artifact) -> bool:
    """Whether it is identified by its stage's fingerprint."""
    return artifact.size is not Size.SMALL


def sample(option: str) -> dict[str, Any]:
    """The sample configuration, with what the option's table excludes left out."""
    table = option.partition(".")[0]
    excluded = ("from_repo", *OF_THE_TREE) if table == "from_dockerimg" else ()
    if table != "dm_verity":
        excluded = (*excluded, "dm_verity")
    values = {name: value for name, value in SAMPLE.items() if name not in excluded}
    if option == "admin_container.base_image":  # excludes repo_path
        admin = SAMPLE["admin_container"]
        values["admin_container"] = {key: admin[key] for key in admin if key != "repo_path"}
    return values


def reader_of(option: str) -> str:
    """The image that an option is about: that which it, or its table, asks for."""
    table, _, name = option.partition(".")
    askers = (
        kind.name
        for asking in ((table, name), (table,))
        for kind in KINDS.values()
        if asking in kind.configured_by
    )
    return next(askers, DEFAULT_IMAGE)


def row(option: str, image: str = "") -> Influence:
    """The influence of one option of the sample configuration on the image that it is about."""
    values = sample(option)
    return influence(read(values), read(changed(values, option)), image or reader_of(option))
