"""The plan of each example configuration, as text: a review sees what a change does to an image.

After an intended change: KBIMG_GOLDEN=write python -m pytest -n 0 tests/unit/test_golden.py
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
from kbimg_tasks.steps.render import Symbolic, command_line

CONFIG, GOLDEN = TOP / "config", TOP / "tests/golden"
CONFIGURATIONS = sorted(
    str(path.relative_to(CONFIG).with_suffix(""))
    for folder in (CONFIG, CONFIG / "demo")
    for path in folder.glob("*.toml")
)
# What no example has: another architecture, or one line replaced by another.
ARCHITECTURE = {"dm-verity.aarch64": "aarch64"}
CHANGED = {
    "from-dockerimg.archive": ('upgrade_img = "kubeos-upgrade:v1"', 'archive = "upgrade_img.tar"'),
    "from-dockerimg.legacy-bios": ("legacy_bios = false", "legacy_bios = true"),
}
EXAMPLES = (*CONFIGURATIONS, *ARCHITECTURE, *CHANGED)


def text_of(example: str, folder: Path) -> str:
    """Every command of every stage, with symbols for paths. A changed example is written to
    `folder`: a plan shows only the last part of a user's path."""
    name = example.partition(".")[0]
    path = CONFIG / f"{name}.toml"
    if example in CHANGED:
        text = path.read_text(encoding="utf-8")
        assert CHANGED[example][0] in text
        path = folder / "kbimg.toml"
        path.write_text(text.replace(*CHANGED[example]), encoding="utf-8")
    given = Given(ARCHITECTURES[ARCHITECTURE.get(example, "x86_64")])
    parts = []
    for stage in plan(load(path, path.parent), given).stages:
        parts.append(f"# {stage.name}: {stage.summary}\n")
        parts += [command_line(step, Symbolic(stage)) + "\n" for step in stage.steps]
        parts.append("\n")
    return "".join(parts)


@pytest.mark.parametrize("example", EXAMPLES)
def test_plan(example, tmp_path):
    path = GOLDEN / f"{example}.txt"
    if os.environ.get("KBIMG_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text_of(example, tmp_path), encoding="utf-8")
    assert text_of(example, tmp_path) == path.read_text(encoding="utf-8")


def test_each_golden_plan_has_an_example():
    plans = {
        str(path.relative_to(GOLDEN).with_suffix(""))
        for folder in (GOLDEN, GOLDEN / "demo")
        for path in folder.glob("*.txt")
    }
    assert plans == set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_path_of_this_machine_stands_in_a_plan(example, tmp_path):
    text = text_of(example, tmp_path)
    for path in (TOP, tmp_path):
        assert f"{path}/" not in text


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_secret_stands_in_a_plan(example, tmp_path):
    text = text_of(example, tmp_path)
    for secret in ("RdLyKTL32WEvK3lg8CXID0", '"foo"', "'foo'\n"):
        assert secret not in text


def test_arrows():
    """What a change can reach: the edges of the graph, as the plan derives them."""
    stages = plan(load(CONFIG / "full.toml", CONFIG)).stages
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
