"""Stamps: what a published stage was made from, and whether it is up to date.

A stage is up to date if its stamp exists and has the current fingerprint, and every artifact is
still the file or directory that was published. The stamp is written after the artifacts and removed
before they are replaced, so a build that is killed at any moment leaves the stage either made or
not made. doit's own database is not used: doit writes it when it ends, which a killed one never
does.

A build never waits for the disk. A stamp records the kernel's boot ID and is valid only until the
next boot, unless its artifacts have been synced (`settle`). So after a crash of the machine, files
that were still in the page cache do not count as made.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from kbimg_tasks.build import fingerprint
from kbimg_tasks.steps.args import Artifact, Size
from kbimg_tasks.steps.layout import STAMP, Layout
from kbimg_tasks.steps.stage import Stage

KEY_BYTES = 32
# Different after each boot: random(4).
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# The kernel writes dirty pages back after 30 s (vm.dirty_expire_centisecs), so a sync of older
# ones finds nothing left to do.
SETTLED_SECONDS = 60


@frozen
class Stamp:
    """The fingerprint a stage was made from, and what was published."""

    fingerprint: str
    seconds: float
    artifacts: dict[str, dict[str, Any]]
    boot: str = ""
    is_synced: bool = False

    @property
    def is_durable(self) -> bool:
        """Whether the artifacts cannot be lost by a crash in the past: made since the last boot, or
        synced."""
        return self.is_synced or self.boot == _boot()


def read(layout: Layout, stage: str) -> Stamp | None:
    """The stamp of a stage; None when it was never made."""
    return _load(layout.stamp(stage))


def _load(path: Path) -> Stamp | None:
    try:
        return Stamp(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def _boot() -> str:
    return BOOT_ID.read_text(encoding="ascii").strip()


def write(
    layout: Layout, stage: Stage, made_from: str, seconds: float, taken: Mapping[str, int]
) -> None:
    """Write the stamp of a stage whose artifacts are published. `taken` is the disk space of each,
    in bytes."""
    artifacts = {
        artifact.name: {
            "identity": _identity(layout, stage, artifact, made_from),
            "is_result": artifact.is_result and not stage.protected,
            "allocated_bytes": taken[artifact.name],
            **_status(layout.published(artifact)),
            **({"snapshot": snapshot(layout.published(artifact))} if stage.is_shared else {}),
        }
        for artifact in stage.artifacts
    }
    _save(layout.stamp(stage.name), Stamp(made_from, seconds, artifacts, _boot()))


def _identity(layout: Layout, stage: Stage, artifact: Artifact, made_from: str) -> str:
    """The identity of an artifact, with that of the checksums of the files that it lists."""
    both = (artifact, *(stage[name] for name in (artifact.checksums,) if name))
    return " ".join(
        fingerprint.of_artifact(layout.published(one), one.size, made_from) for one in both
    )


def _save(path: Path, stamp: Stamp) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(asdict(stamp), indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def allocated(layout: Layout, stage: str) -> dict[str, int]:
    """The disk space of each artifact of a stage when it was made, in bytes."""
    stamp = read(layout, stage)
    return (
        {
            name: found["allocated_bytes"]
            for name, found in stamp.artifacts.items()
            if "allocated_bytes" in found
        }
        if stamp
        else {}
    )


def settle(layout: Layout) -> None:
    """Sync the artifacts of older stamps to the disk, and mark these stamps as synced.

    Recent stamps are left to a later run, so that no build waits for the disk. The output directory
    must be locked.
    """
    due = {}
    for path in sorted((layout.private / "stages").glob(f"*/{STAMP}")):
        stamp = _load(path)
        if stamp is None or stamp.is_synced or not stamp.is_durable:
            continue
        if time.time() - path.stat().st_mtime > SETTLED_SECONDS:
            due[path] = stamp
    for folder in {path.stat().st_dev: path.parent for path in due}.values():
        _sync(folder)
    for path, stamp in due.items():
        _save(path, evolve(stamp, is_synced=True))


def _sync(folder: Path) -> None:
    """Write everything of the folder's file system to the disk: syncfs(2)."""
    import ctypes  # late: it is needed rarely, and loading it takes time

    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(number) != 0:
            raise OSError(ctypes.get_errno(), "not synced", str(folder))
    finally:
        os.close(number)


def snapshot(path: Path) -> str:
    """A digest of the metadata of a file, or of everything below a directory, without the content.

    Every change of content, mode or owner updates the change time, and no program can set it:
    inode(7). So a tree that was modified or copied has another snapshot.
    """
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(folders + files):
            full = os.path.join(folder, name)
            status = os.lstat(full)
            digest.update(
                os.fsencode(
                    f"{os.path.relpath(full, path)}\0"
                    f"{status.st_ino} {status.st_mode} {status.st_size}"
                    f" {status.st_uid} {status.st_gid} {status.st_ctime_ns}\0"
                )
            )
    return digest.hexdigest()


def _status(path: Path) -> dict[str, int]:
    status = os.lstat(path)
    # The size and time of a directory are left out: other programs may write below it.
    whole = {"inode": status.st_ino}
    if not path.is_dir():
        whole.update(bytes=status.st_size, mtime_ns=status.st_mtime_ns)
    return whole


def current(layout: Layout, stage: Stage) -> str:
    """The current fingerprint of a stage; the stages that it needs must be made."""

    def identity(artifact: Artifact) -> str:
        if artifact.is_tree and artifact.size is Size.SMALL:
            # The stamp does not record changes of the files in a directory.
            return fingerprint.tree(layout.published(artifact))
        stamp = read(layout, artifact.stage)
        if stamp is None:
            return "not made"
        return str(stamp.artifacts[artifact.name]["identity"])

    return fingerprint.of(stage, identity, key(layout))


def is_made(layout: Layout, stage: Stage) -> bool:
    """Whether the stage is up to date."""
    if stage.protected:
        return all(os.path.lexists(layout.published(artifact)) for artifact in stage.artifacts)
    stamp = read(layout, stage.name)
    if stamp is None or not stamp.is_durable:
        return False
    if set(stamp.artifacts) != {artifact.name for artifact in stage.artifacts}:
        return False
    for artifact in stage.artifacts:
        published = layout.published(artifact)
        if not os.path.lexists(published):
            return False
        if not _status(published).items() <= stamp.artifacts[artifact.name].items():
            return False
    return stamp.fingerprint == current(layout, stage)


def is_intact(layout: Layout, artifact: Artifact) -> bool:
    """Whether a shared artifact is unchanged since it was made; checked before a stage reads it."""
    published = layout.published(artifact)
    stamp = read(layout, artifact.stage)
    if stamp is None or not os.path.lexists(published):
        return False
    if artifact.checksums:
        return all(map(os.path.exists, published.read_text(encoding="utf-8").splitlines()))
    expected = stamp.artifacts.get(artifact.name, {}).get("snapshot")
    return expected is None or expected == snapshot(published)


def key(layout: Layout) -> bytes:
    """The key for the digests of secrets in fingerprints; made once for each output directory."""
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
    """Create the private folder, mode 700."""
    layout.private.mkdir(mode=0o700, parents=True, exist_ok=True)
