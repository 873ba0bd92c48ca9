"""An image kind for the configuration and the command line: data without planning."""

from __future__ import annotations

from collections.abc import Container, Mapping
from enum import Enum

from attrs import field, frozen

from kbimg_tasks.config.model import SOURCES
from kbimg_tasks.diagnostics.problem import Option


class Start(Enum):
    """What a virtual machine boots an image from."""

    DISK = "its own disk"
    NETWORK = "the network, onto an empty disk"


@frozen(kw_only=True)
class Kind:
    """A kind of image, whose task is called `name`.

    Tables and options: `needs` are groups of tables, and one table of each group must exist. The
    kind is `configured_by` the presence of one of these tables or options. `reads` are the tables
    whose options it depends on; the files that these name must exist. `excludes` maps tables to the
    reason why the kind cannot be built with them.

    Results: `archive` is the result that has the content of the image; `is_container` marks a
    container image, which can be loaded and pushed. A kind that `may_need_engine` is planned after
    looking for a container engine. `tasks` are further tasks of this kind.

    Machines: `is_uefi_only` if legacy BIOS cannot boot it; `start` is what a virtual machine boots
    it from, or else `not_started` tells the user what to do with it.
    """

    name: str
    summary: str
    needs: tuple[tuple[str, ...], ...]
    configured_by: tuple[Option, ...]
    reads: frozenset[str]
    archive: str
    excludes: Mapping[str, str] = field(factory=dict)
    tasks: tuple[str, ...] = ()
    is_container: bool = False
    may_need_engine: bool = False
    is_uefi_only: bool = False
    start: Start | None = None
    not_started: str = ""

    @property
    def word(self) -> str:
        """Its name on the command line of kbimg."""
        return self.name.replace("_", "-")

    @property
    def holds_system(self) -> bool:
        """Whether the image has the root file system of the configuration."""
        return not self.reads.isdisjoint(SOURCES)

    def is_configured(self, options: Container[Option]) -> bool:
        """Whether a file with these tables and options configures this kind."""
        return any(option in options for option in self.configured_by)

    def is_excluded(self, options: Container[Option]) -> bool:
        """Whether a file with these tables excludes this kind."""
        return any((table,) in options for table in self.excludes)
