"""What a root file system is made for."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Table
from kbimg_tasks.steps.stage import Arg


@frozen
class Target:
    """The machine that starts it and its disk: the architecture, the partitions with their ids, and
    the time in seconds since the epoch that all files show."""

    architecture: Architecture
    table: Table
    ids: Ids
    clock: Arg
