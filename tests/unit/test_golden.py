"""The plan of each example, as text: a review sees what a change does to an image.

After an intended change: KBIMG_GOLDEN=write python -m pytest tests/unit/test_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from building import TOP

from kbimg_tasks.config.load import load
from kbimg_tasks.machine.architecture import ARCHITECTURES
from kbimg_tasks.plan.images import plan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.steps.render import command_line, symbolic

GOLDEN = TOP / "tests/golden"
EXAMPLES = ("vm-img", "full", "dm-verity", "legacy-bios", "dm-verity.aarch64")


def text_of(example: str) -> str:
    """Every command of every stage, with symbols for paths."""
    name, _, architecture = example.partition(".")
    config = load(Path(f"config/{name}.toml"), TOP)
    parts = []
    for stage in plan(config, Given(ARCHITECTURES[architecture or "x86_64"])).stages:
        parts.append(f"# {stage.name}: {stage.summary}\n")
        parts += [command_line(step, symbolic(stage)) + "\n" for step in stage.steps]
        parts.append("\n")
    return "".join(parts)


@pytest.mark.parametrize("example", EXAMPLES)
def test_plan(example):
    path = GOLDEN / f"{example}.txt"
    if os.environ.get("KBIMG_GOLDEN") == "write":
        path.write_text(text_of(example))
    assert text_of(example) == path.read_text()


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_secret_stands_in_a_plan(example):
    text = text_of(example)
    for secret in ("RdLyKTL32WEvK3lg8CXID0", '"foo"', "'foo'\n"):
        assert secret not in text


def test_arrows():
    """What a change can reach: the edges of the graph, as the plan derives them."""
    stages = plan(load(Path("config/full.toml"), TOP)).stages
    edges = {stage.name: {need.stage for need in stage.needs()} for stage in stages}
    assert edges["rootfs"] == {"packages"}
    assert edges["initramfs"] == {"rootfs", "packages"}
    assert edges["customised"] == {"rootfs", "grub", "packages"}
    tree = {"rootfs", "grub", "initramfs", "customised", "packages"}
    assert edges["kubeos_tar"] == edges["esp"] == tree
    assert edges["root_b"] == {"packages"}
    assert edges["system_img"] == tree | {"esp", "root_b", "persist"}
    assert edges["system_qcow2"] == {"system_img"}
    assert edges["packages"] == set()
    names = [stage.name for stage in stages]
    assert all(
        names.index(need) < names.index(name) for name, needs in edges.items() for need in needs
    )
