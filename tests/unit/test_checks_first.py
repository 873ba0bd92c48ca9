"""Stages that only check run before all others of their image, and do not affect other images."""

from __future__ import annotations

from pathlib import Path

from building import TOP

from kbimg_tasks.config.load import load
from kbimg_tasks.plan.images import plan
from kbimg_tasks.plan.kinds import KINDS

PLAN = plan(load(Path("config/demo/pxe-img.toml"), TOP, (KINDS["pxe_img"],)))


def test_all_but_what_the_check_needs_waits_for_it():
    waits = PLAN.order_only_of(["pxe_img"])
    assert set(waits.values()) == {("pxe_programs",)}
    assert {stage.name for stage in PLAN.stages} - set(waits) == {"packages", "pxe_programs"}


def test_without_the_image_nothing_waits():
    assert set(PLAN.order_only_of(["vm_img"]).values()) == {()}
    assert "pxe_programs" not in {stage.name for stage in PLAN.standing_under(["vm_img"])}
