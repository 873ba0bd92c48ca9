"""What a build did, in numbers and names."""

from __future__ import annotations

from pathlib import Path

from attrs import define, field

from kbimg_tasks.progress.lines import Ended


@define
class Tally:
    """The stages of a build that ended, the number of those that were up to date, and the results
    with the disk space that each takes, in bytes; None is unknown."""

    ended: list[Ended] = field(factory=list)
    up_to_date: int = 0
    results: dict[Path, int | None] = field(factory=dict)

    @property
    def made(self) -> list[Ended]:
        """The stages that were made."""
        return [one for one in self.ended if one.how == "made"]

    @property
    def is_complete(self) -> bool:
        """Whether no stage failed or was stopped."""
        return not self._names("FAILED", "stopped")

    def __str__(self) -> str:
        counts = {how: len(self._names(how)) for how in ("made", "done")}
        counts["cached"] = self.up_to_date
        parts = [f"{count} {how}" for how, count in counts.items() if count]
        for how in ("FAILED", "stopped"):
            parts += [f"{how}: {' '.join(self._names(how))}"] if self._names(how) else []
        return ", ".join(parts) or "nothing to do"

    def _names(self, *hows: str) -> list[str]:
        return [one.stage for one in self.ended if one.how in hows]
