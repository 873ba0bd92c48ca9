"""Checks whether repositories have changed since the packages were resolved.

A repository's index, repodata/repomd.xml, has the checksums of all other metadata, so it changes
whenever anything changes. It is a few kilobytes; downloading all indexes at the same time takes one
round trip. Indexes on this machine are implicit inputs of the stage `packages` instead.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.config.repository import Repository
from kbimg_tasks.tools.units import MIB

# For each response: without a network, a build should not wait long.
TIMEOUT_SECONDS = 2.0
TOO_LARGE_BYTES = MIB


@frozen
class Index:
    """The index of one repository, as it was when the packages were resolved."""

    repository: str
    url: str
    sha256: str


def changed(
    listing: Path, repositories: Iterable[Repository], warn: Callable[[str], None]
) -> tuple[str, ...]:
    """The repositories whose index has changed; `listing` is a file of the stage `packages`. One
    warning names those that do not respond; they count as unchanged."""
    try:
        rows = listing.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    recorded = [Index(*row.split("\t")) for row in rows]
    if not recorded:
        return ()
    from concurrent.futures import ThreadPoolExecutor  # late: most runs have nobody to ask

    known = {repository.id: repository for repository in repositories}
    with ThreadPoolExecutor(max_workers=len(recorded)) as pool:
        answers = list(pool.map(lambda index: _fetch(index, known.get(index.repository)), recorded))
    silent = [f"{index.repository}: {why}" for index, (_, why) in zip(recorded, answers) if why]
    if silent:
        warn(
            "could not check for newer packages ("
            + "; ".join(silent)
            + "); using those of the last build (offline=1 disables this check)"
        )
    return tuple(
        index.repository
        for index, (sha256, why) in zip(recorded, answers)
        if not why and sha256 != index.sha256
    )


def _fetch(index: Index, repository: Repository | None) -> tuple[str, str]:
    """The current checksum of an index, or the reason why there is none."""
    import urllib.request  # late: loading it takes as long as the rest of a run

    request = urllib.request.Request(index.url, headers={"Cache-Control": "no-cache"})
    if repository and repository.username:
        password = repository.password.reveal() if repository.password else ""
        token = base64.b64encode(f"{repository.username}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return hashlib.sha256(answer.read(TOO_LARGE_BYTES)).hexdigest(), ""
    except (OSError, ValueError) as error:
        return "", str(getattr(error, "reason", None) or error)
