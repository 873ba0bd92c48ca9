"""What a published stage was made from.

A stage counts as made when its stamp is there, has its present fingerprint, and every artifact is
still the file or directory that was published. The stamp is written after the artifacts and removed
before they are replaced, so a build that is killed at any moment leaves a stage made or not made,
never half. doit's own database is written when doit ends, which a killed one never does; nothing
here depends on it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Optional

from attrs import asdict, frozen

from kbimg_tasks import fingerprint
from kbimg_tasks.layout import Layout
from kbimg_tasks.stage import Artifact, Stage

KEY_BYTES = 32


@frozen
class Stamp:
    """The fingerprint a stage was made from, and what was published."""

    fingerprint: str
    seconds: float
    artifacts: Dict[str, Dict[str, Any]]


def read(layout: Layout, stage: str) -> Optional[Stamp]:
    """The stamp of a stage; None when it was never made."""
    try:
        return Stamp(**json.loads(layout.stamp(stage).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(layout: Layout, stage: Stage, made_from: str, seconds: float) -> None:
    """Say that the stage is made; its artifacts must be published."""
    artifacts = {
        artifact.name: {
            "identity": fingerprint.of_artifact(layout.published(artifact), made_from),
            "is_result": artifact.is_result,
            **_status(layout.published(artifact)),
        }
        for artifact in stage.artifacts
    }
    path = layout.stamp(stage.name)
    partial = path.with_suffix(".partial")
    partial.write_text(
        json.dumps(asdict(Stamp(made_from, seconds, artifacts)), indent=1) + "\n",
        encoding="utf-8")
    os.replace(partial, path)


def _status(path: Path) -> Dict[str, int]:
    status = os.lstat(path)
    # A directory's size and time change with what is looked up or written below it by others.
    whole = {"inode": status.st_ino}
    if not path.is_dir():
        whole.update(bytes=status.st_size, mtime_ns=status.st_mtime_ns)
    return whole


def current(layout: Layout, stage: Stage) -> str:
    """The fingerprint that the stage has now; the stages that it needs must be made."""

    def identity(artifact: Artifact) -> str:
        stamp = read(layout, artifact.stage)
        if stamp is None:
            return "not made"
        return str(stamp.artifacts[artifact.name]["identity"])

    return fingerprint.of(stage, identity, key(layout))


def is_made(layout: Layout, stage: Stage) -> bool:
    """Whether the stage need not be made again."""
    stamp = read(layout, stage.name)
    if stamp is None or set(stamp.artifacts) != {artifact.name for artifact in stage.artifacts}:
        return False
    for artifact in stage.artifacts:
        published = layout.published(artifact)
        if not os.path.lexists(published):
            return False
        if not _status(published).items() <= stamp.artifacts[artifact.name].items():
            return False
    return stamp.fingerprint == current(layout, stage)


def key(layout: Layout) -> bytes:
    """The secret that is mixed into fingerprints of secrets; made once for each directory."""
    path = layout.private / "fingerprint.key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        prepare(layout)
    try:
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(number, "wb") as stream:
        stream.write(secret := os.urandom(KEY_BYTES))
    return secret


def prepare(layout: Layout) -> None:
    """Make the private folder, which nobody else may read."""
    layout.private.mkdir(mode=0o700, parents=True, exist_ok=True)
