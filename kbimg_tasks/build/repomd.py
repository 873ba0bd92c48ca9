"""Whether the repositories that packages were chosen from have changed since.

A repository's index, repodata/repomd.xml, names every other file of its metadata with a sum, so it
changes whenever anything does. It is a few kilobytes; asking for all of them at once takes one
round trip. Those on this machine are files that are implicit inputs of the `packages` stage.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.config.repo_file import Repository

# For each answer: whoever has no network should not wait for it long.
TIMEOUT_SECONDS = 2.0
TOO_LARGE_BYTES = 1 << 20


@frozen
class Index:
    """The index of one repository, as it was when the packages were chosen."""

    repository: str
    url: str
    sha256: str


def changed(
    listing: Path, repositories: Iterable[Repository], warn: Callable[[str], None]
) -> tuple[str, ...]:
    """The repositories whose index is another one now; `listing` is what the `packages` stage
    wrote. Those that do not answer are told by one warning, and count as unchanged."""
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
            "the repositories could not be asked for newer packages ("
            + "; ".join(silent)
            + "): going on with those of the last build; offline=1 does not ask"
        )
    return tuple(
        index.repository
        for index, (sha256, why) in zip(recorded, answers)
        if not why and sha256 != index.sha256
    )


def _fetch(index: Index, repository: Repository | None) -> tuple[str, str]:
    """The sum of an index as it is now, or why there is none."""
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
