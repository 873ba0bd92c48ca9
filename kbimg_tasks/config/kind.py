"""A kind of image, as the configuration and the command line know it: data, and no planning."""

from __future__ import annotations

from collections.abc import Container, Mapping
from enum import Enum

from attrs import field, frozen

from kbimg_tasks.config.model import SOURCES
from kbimg_tasks.diagnostics.problem import Option


class Start(Enum):
    """What a virtual machine starts an image from."""

    DISK = "its own disk"
    NETWORK = "the network, onto an empty disk"


@frozen(kw_only=True)
class Kind:
    """A kind of image, whose task is called `name`.

    Tables and options: `needs` are groups of tables, of each of which one must be there; it
    is `configured_by` the presence of one of these tables or options; `reads` are the tables whose
    options it depends on, so that the files they name must exist; `excludes` maps tables to the
    reason why it cannot be built with them.

    Results: `archive` is the one that shows what is in the image; `is_container` says that it is a
    container image, to be loaded and pushed. One that `may_need_engine` is planned after looking
    for a container engine to build it. `tasks` are further tasks that are about this image.

    Machines: `is_uefi_only` where legacy BIOS cannot start it; `start` is what a virtual machine
    starts it from, or else `not_started` tells the user what to do with it.
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
        """Whether it holds the root file system that the configuration describes."""
        return not self.reads.isdisjoint(SOURCES)

    def is_configured(self, options: Container[Option]) -> bool:
        """Whether a file with these tables and options asks for it."""
        return any(option in options for option in self.configured_by)

    def is_excluded(self, options: Container[Option]) -> bool:
        """Whether a file with these tables keeps it from being built."""
        return any((table,) in options for table in self.excludes)
