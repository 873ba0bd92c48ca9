"""The package repositories that a plan reads, and their indexes on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kbimg_tasks.config.repository import Repository
from kbimg_tasks.machine.architecture import Architecture


def local_indexes(repos: Iterable[Repository], architecture: Architecture) -> tuple[Path, ...]:
    """The repomd.xml of each repository on this machine. It changes when the packages change."""
    urls = (url for repo in repos for url in repo.addresses(architecture))
    return tuple(
        index(Path(unquote(urlsplit(url).path))) for url in urls if url.startswith("file:")
    )


def index(repository: Path) -> Path:
    """The index file of a repository in a directory."""
    return repository / "repodata/repomd.xml"
