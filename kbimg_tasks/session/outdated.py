"""Stages that are out of date although none of their inputs has changed."""

from __future__ import annotations

from functools import partial
from typing import Callable

from kbimg_tasks.build import repomd
from kbimg_tasks.session.session import Planned
from kbimg_tasks.stages import keys


def outdated(planned: Planned, warn: Callable[[str], None]) -> dict[str, Callable[[], bool]]:
    """For each such stage, the check: a repository has newer packages, or a certificate has
    expired."""
    found: dict[str, Callable[[], bool]] = {
        stage: partial(_has_newer_packages, planned, stage, warn) for stage in planned.repositories
    }
    found[keys.CHECKED] = partial(keys.have_ended, planned.layout.stage(keys.CHECKED))
    return found


def _has_newer_packages(planned: Planned, stage: str, warn: Callable[[str], None]) -> bool:
    asked = planned.asked
    if asked.is_offline or (asked.is_locked and stage == "packages"):
        return False
    listing = planned.layout.stage(stage) / "indexes"
    return bool(repomd.changed(listing, planned.repositories[stage], warn))
