"""The target of a root file system: its machine, disk and clock."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Table
from kbimg_tasks.steps.args import Arg


@frozen
class Target:
    """The architecture of the machine, the partitions of its disk with their identifiers, and the
    time of all files, in seconds since the epoch."""

    architecture: Architecture
    table: Table
    ids: Ids
    clock: Arg
