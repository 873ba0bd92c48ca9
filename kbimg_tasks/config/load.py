"""Reads kbimg.toml and reports all errors at once."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from kbimg_tasks.config import checks, repo_file, source
from kbimg_tasks.config.files import Files
from kbimg_tasks.config.kind import Kind
from kbimg_tasks.config.model import ARRAYS, TABLES, Config
from kbimg_tasks.config.reader import Reader
from kbimg_tasks.config.repository import Repository
from kbimg_tasks.diagnostics.problem import ConfigError, Problem
from kbimg_tasks.machine.architecture import X86_64, Architecture


def load(
    path: Path, started_in: Path, kinds: Collection[Kind] = (), architecture: Architecture = X86_64
) -> Config:
    """The configuration in `path`, validated for images of these kinds.

    Relative paths, including `path`, are looked up in `started_in`, then in the directory of the
    configuration. Files that options name must exist only for the images that read them. Raises
    ConfigError with all errors.
    """
    full = started_in / path
    found = source.read(full, source.name_as_typed(path, started_in))
    reader = Reader(found.document, Files(started_in, full.parent, architecture.name), kinds)
    drafts = reader.tables(found.values)
    for option, message in checks.all_problems(drafts, found.values, kinds, architecture):
        reader.add(option, message)
    repositories, problems = _repositories(drafts, started_in, reader.tables_read)
    problems = [*reader.problems, *problems]
    if problems:
        raise ConfigError(problems)
    return Config(full, document=found.document, repositories=repositories, **_parts(drafts))


def configured(path: Path, started_in: Path, kinds: Collection[Kind]) -> tuple[str, ...]:
    """The images that the configuration configures and does not exclude; none if it cannot be
    read."""
    try:
        found = source.read(started_in / path, source.name_as_typed(path, started_in))
    except ConfigError:
        return ()
    options = found.document.places
    return tuple(
        kind.name for kind in kinds if kind.is_configured(options) and not kind.is_excluded(options)
    )


def _parts(drafts: dict[str, Any]) -> dict[str, Any]:
    """The valid drafts as objects of the model."""
    return {
        name: tuple(ARRAYS[name](**one) for one in draft)
        if name in ARRAYS
        else TABLES[name](**draft)
        for name, draft in drafts.items()
    }


def _repositories(
    drafts: dict[str, Any], started_in: Path, tables_read: Collection[str]
) -> tuple[dict[Path, tuple[Repository, ...]], list[Problem]]:
    """The repositories of each valid repository file, and the errors in the others. Errors count
    only if the images read the table that names the file."""
    tables: dict[Path, list[str]] = {}
    for table in ("from_repo", "admin_container"):
        path = drafts.get(table, {}).get("repo_path")
        if path:
            tables.setdefault(path, []).append(table)
    found: dict[Path, tuple[Repository, ...]] = {}
    problems: list[Problem] = []
    for path, named_by in tables.items():
        try:
            found[path] = repo_file.repositories(path, source.name_as_typed(path, started_in))
        except ConfigError as error:
            if any(table in tables_read for table in named_by):
                problems += error.problems
    return found, problems
