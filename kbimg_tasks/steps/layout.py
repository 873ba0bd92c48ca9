"""Paths: results in the output directory, everything else below its `.kbimg`."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

from kbimg_tasks.steps.args import Artifact

CACHE = Path("/var/cache/kbimg")
# Enough for some dozens of installed trees, and a small part of a build machine's disk.
STORE_GIB = 20.0
PRIVATE_FOLDER = ".kbimg"
STAMP = "stamp.json"


@frozen
class Layout:
    """The paths of one output directory, and of the cache that all builds of the machine share."""

    out: Path
    cache: Path = field(default=CACHE)
    store_gib: float = STORE_GIB

    @property
    def private(self) -> Path:
        """The internal files of builds: stages, logs, the key of the fingerprints. Mode 700."""
        return self.out / PRIVATE_FOLDER

    @property
    def lock(self) -> Path:
        """The lock file, locked by the process that builds here; its text names that process."""
        return self.private / "lock"

    @property
    def store(self) -> Path:
        """The store: stages that are made once for all output directories."""
        return self.cache / "store"

    def stage(self, name: str) -> Path:
        """The folder of a stage's published artifacts and of its stamp."""
        return self.private / "stages" / name

    def stamp(self, name: str) -> Path:
        """The stamp of a stage; written last, so a stage without one is not made."""
        return self.stage(name) / STAMP

    def partial(self, name: str) -> Path:
        """The folder in which a stage is being made."""
        return self.private / "partial" / name

    def log(self, name: str) -> Path:
        """The log with the output of the stage's programs in their last run."""
        return self.private / "logs" / f"{name}.log"

    @property
    def run_log(self) -> Path:
        """The log of the last run: when each stage began and ended."""
        return self.private / "last-run.jsonl"

    @property
    def report(self) -> Path:
        """The report that `doit report` writes."""
        return self.out / "report.html"

    @property
    def partial_report(self) -> Path:
        """The report while it is being written."""
        return self.out / ".report.html.partial"

    def published(self, artifact: Artifact) -> Path:
        """The path of an artifact after its stage was published."""
        return (self.out if artifact.is_result else self.stage(artifact.stage)) / artifact.name

    def unpublished(self, artifact: Artifact) -> Path:
        """The path of an artifact while its stage is being made."""
        return self.partial(artifact.stage) / artifact.name
