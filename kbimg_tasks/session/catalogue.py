"""All stages by name, without the user's configuration.

They are the stages of data/catalogue.toml, which has the tables of every image kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from kbimg_tasks.config.load import load
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.machine.architecture import X86_64, Architecture
from kbimg_tasks.plan.images import Plan, plan
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.plan.root import Given


@lru_cache
def catalogue(architecture: Architecture = X86_64) -> Plan:
    """The plan of all image kinds."""
    return plan(load(DATA / "catalogue.toml", DATA), Given(architecture))


def images_of(words: Iterable[str]) -> tuple[str, ...]:
    """The images that these arguments select, in the order of KINDS."""
    found = {image for word in words for image in _images(word)}
    return tuple(image for image in KINDS if image in found)


def _images(word: str) -> set[str]:
    name, _, value = word.partition("=")
    if value:
        return {value} & set(KINDS) if name == "image" else set()
    for image, kind in KINDS.items():
        if word in (image, f"load_{image}", f"push_{image}", *kind.tasks):
            return {image}
    # A stage of several images does not select one of them.
    every = catalogue()
    users = {image for image in KINDS if word in (stage.name for stage in every.in_order(image))}
    return users if len(users) == 1 else set()
