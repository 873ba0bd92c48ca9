"""Where things lie: results in the output directory, all else below its `.kbimg`."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

from kbimg_tasks.steps.stage import Artifact

CACHE = Path("/var/cache/kbimg")
# Room for some dozens of installed trees, and little of a build machine's disk.
STORE_GIB = 20.0
PRIVATE_FOLDER = ".kbimg"


@frozen
class Layout:
    """The paths of one output directory, and of the cache that all builds of the machine share."""

    out: Path
    cache: Path = field(default=CACHE)
    store_gib: float = STORE_GIB

    @property
    def private(self) -> Path:
        """What is not for the user: stages, logs, keys of fingerprints. Mode 700."""
        return self.out / PRIVATE_FOLDER

    @property
    def lock(self) -> Path:
        """Held by the process that builds here; its text names that process."""
        return self.private / "lock"

    @property
    def store(self) -> Path:
        """What all output directories share: stages that are made once for all of them."""
        return self.cache / "store"

    def stage(self, name: str) -> Path:
        """The folder of a stage's published artifacts and of its stamp."""
        return self.private / "stages" / name

    def stamp(self, name: str) -> Path:
        """What the stage was made from; written last, so a stage without one is not made."""
        return self.stage(name) / "stamp.json"

    def partial(self, name: str) -> Path:
        """Where a stage is being made."""
        return self.private / "partial" / name

    def log(self, name: str) -> Path:
        """Everything that the stage's programs printed in their last run."""
        return self.private / "logs" / f"{name}.log"

    @property
    def run_log(self) -> Path:
        """When the stages of the last run were made."""
        return self.private / "last-run.jsonl"

    @property
    def report(self) -> Path:
        """What `doit report` writes."""
        return self.out / "report.html"

    @property
    def partial_report(self) -> Path:
        """Where it is being written."""
        return self.out / ".report.html.partial"

    def published(self, artifact: Artifact) -> Path:
        """Where an artifact lies when it is whole."""
        return (self.out if artifact.is_result else self.stage(artifact.stage)) / artifact.name

    def unpublished(self, artifact: Artifact) -> Path:
        """Where an artifact lies while its stage is being made."""
        return self.partial(artifact.stage) / artifact.name
