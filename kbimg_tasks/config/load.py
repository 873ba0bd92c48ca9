"""Reads kbimg.toml. Every mistake in it is found in one go."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from kbimg_tasks.config import checks, repo_file, source
from kbimg_tasks.config.files import Files
from kbimg_tasks.config.model import ARRAYS, TABLES, Config
from kbimg_tasks.config.reader import Reader
from kbimg_tasks.config.tables import FROM_PACKAGES
from kbimg_tasks.diagnostics.problem import ConfigError, Problem
from kbimg_tasks.machine.architecture import X86_64, Architecture


def load(
    path: Path, started_in: Path, images: Collection[str] = (), architecture: Architecture = X86_64
) -> Config:
    """The configuration in `path`, with everything checked that `images` for an architecture need.

    Relative paths, `path` among them, are taken from `started_in`, then from the configuration's
    own directory. Files that options name must exist only for the images that read them. Raises
    ConfigError with all mistakes.
    """
    full = started_in / path
    found = source.read(full, source.name_as_typed(path, started_in))
    reader = Reader(found.document, Files(started_in, full.parent, architecture.name), images)
    drafts = reader.tables(found.values)
    for option, message in checks.all_problems(drafts, found.values, images, architecture):
        reader.add(option, message)
    problems = [*reader.problems, *_repository_problems(drafts, started_in, images)]
    if problems:
        raise ConfigError(problems)
    return Config(full, document=found.document, **_parts(drafts))


def configured(path: Path, started_in: Path) -> tuple[str, ...]:
    """The images that the configuration has tables for; none where it cannot be read."""
    try:
        found = source.read(started_in / path, source.name_as_typed(path, started_in))
    except ConfigError:
        return ()
    return tuple(checks.configured(found.values))


def _parts(drafts: dict[str, Any]) -> dict[str, Any]:
    """The drafts, which are without fault, as objects of the model."""
    return {
        name: tuple(ARRAYS[name](**one) for one in draft)
        if name in ARRAYS
        else TABLES[name](**draft)
        for name, draft in drafts.items()
    }


def _repository_problems(
    drafts: dict[str, Any], started_in: Path, images: Collection[str]
) -> Iterator[Problem]:
    """The mistakes of the repository files that are read for these images."""
    readers = (("from_repo", FROM_PACKAGES), ("admin_container", ("admin_container",)))
    paths = (
        drafts.get(table, {}).get("repo_path")
        for table, readers_of in readers
        if set(images) & set(readers_of)
    )
    for path in dict.fromkeys(filter(None, paths)):
        try:
            repo_file.repositories(path, source.name_as_typed(path, started_in))
        except ConfigError as error:
            yield from error.problems
