"""The images with a package list, an SBOM and a list of the build programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import TOP

from kbimg_tasks.config.load import load
from kbimg_tasks.plan.images import Plan, plan
from kbimg_tasks.stages.contents import PROGRAMS
from kbimg_tasks.steps.args import own_program
from kbimg_tasks.steps.programs import programs

ABOUT = {"packages.txt", "sbom.cdx.json"}
TOOLS = {"build-tools.json"}
ADMIN = {f"admin_container.{name}" for name in ABOUT}


def planned(example: str) -> Plan:
    return plan(load(Path(f"config/{example}.toml"), TOP))


def results(made: Plan, image: str) -> set[str]:
    return {
        artifact.name
        for stage in made.images[image]
        for artifact in stage.artifacts
        if artifact.is_result
    }


@pytest.mark.parametrize(
    ("example", "image", "told"),
    [
        ("full", "vm_img", ABOUT | TOOLS),
        ("full", "pxe_img", ABOUT | TOOLS),
        ("full", "upgrade_img", ABOUT | TOOLS),
        ("full", "admin_container", ADMIN),
        ("dm-verity", "vm_img", ABOUT | TOOLS),
        ("from-dockerimg", "vm_img", TOOLS),
    ],
)
def test_beside_each_image(example, image, told):
    found = results(planned(example), image)
    assert found & (ABOUT | TOOLS | ADMIN) == told


def test_the_sbom_stands_on_the_packages_alone():
    made = planned("full")
    needs = {stage.name: {need.stage for need in stage.needs()} for stage in made.stages}
    assert (needs["sbom"], needs["admin_sbom"]) == ({"packages"}, {"admin_packages"})


def test_only_what_built_is_of_the_host():
    """`reproduce` leaves it out by its name: no other stage asks the host for versions."""
    stages = planned("full").stages
    assert {
        artifact.name
        for stage in stages
        for artifact in stage.artifacts
        for step in stage.steps
        if own_program("describe_programs") in step.command
    } == {PROGRAMS}


def test_the_programs_are_those_of_the_stages():
    *before, told = (stage for stage in planned("vm-img").stages)
    assert told.name == "build_tools"
    assert set(told.steps[0].argv) >= programs(before)
