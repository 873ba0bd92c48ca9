"""The content of a report as values, independent of reading and drawing."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from kbimg_tasks.dissect.file_systems import FileSystem
from kbimg_tasks.dissect.tree_sizes import Folder
from kbimg_tasks.machine.partitions import Partition, Table


class State(Enum):
    """Whether a stage is up to date, outdated, or was never made."""

    MADE = "made"
    OUTDATED = "outdated"
    NOT_MADE = "not made"


@frozen
class StageState:
    """A stage as it is now: the stages it `needs`, and the seconds that making it took."""

    name: str
    summary: str
    needs: tuple[str, ...]
    state: State
    seconds: float | None = None


class Outcome(Enum):
    """The outcome of making a stage. One without an end may still be running."""

    MADE = "made"
    FAILED = "failed"
    NO_END = "no end"


@frozen
class Work:
    """The making of one stage, in seconds since the run's first stage was begun."""

    stage: str
    began: float
    ended: float
    outcome: Outcome


@frozen
class Run:
    """A run that made something; `began` in seconds since the epoch."""

    began: float
    works: tuple[Work, ...]

    @property
    def seconds(self) -> float:
        """From the start of the first stage to the last event."""
        return max(work.ended for work in self.works)


@frozen
class PartitionUse:
    """A partition, and the file system that was found in it, if any. An empty one begins with
    nothing but zeros."""

    partition: Partition
    file_system: FileSystem | None = None
    is_empty: bool = False


@frozen
class Disk:
    """The planned partitions; `was_read` says whether an image was read."""

    table: Table
    uses: tuple[PartitionUse, ...]
    was_read: bool


@frozen
class PackageSize:
    """A package with its architecture and version, and its installed size."""

    name: str
    installed_bytes: int


@frozen
class ResultFile:
    """A file for the user; `allocated_bytes` is its disk space. `sha256` is empty if it has no
    checksum file and was too large to be read."""

    name: str
    size_bytes: int
    allocated_bytes: int
    sha256: str = ""


@frozen
class Report:
    """Everything; `written` in seconds since the epoch. Fields that could not be read are empty."""

    config: str
    out: str
    written: float
    images: tuple[str, ...]
    stages: tuple[StageState, ...]
    run: Run | None = None
    disk: Disk | None = None
    packages: tuple[PackageSize, ...] = ()
    folders: tuple[Folder, ...] = ()
    results: tuple[ResultFile, ...] = ()
    missing: tuple[str, ...] = ()
