"""A sample report with all kinds of content, for tests of the page."""

from __future__ import annotations

from kbimg_tasks.commands.report.model import (
    Disk,
    Outcome,
    PackageSize,
    PartitionUse,
    Report,
    ResultFile,
    Run,
    StageState,
    State,
    Work,
)
from kbimg_tasks.dissect.file_systems import FileSystem
from kbimg_tasks.dissect.tree_sizes import Folder
from kbimg_tasks.machine.partitions import plan_table

MIB = 1 << 20
HOSTILE = "<script>alert('&\"')</script>"
TABLE = plan_table(2560, 20)
STAGES = (
    StageState("packages", "which packages", (), State.MADE, 0.58),
    StageState("rootfs", "one tree", ("packages",), State.MADE, 2.8),
    StageState("esp", "the ESP", ("packages", "rootfs"), State.MADE, 0.2),
    StageState("persist", "PERSIST", ("packages",), State.OUTDATED, 0.1),
    StageState(
        "system_img", "the disk", ("packages", "rootfs", "esp", "persist"), State.OUTDATED, 123.4
    ),
    StageState("kubeos_tar", HOSTILE, ("packages", "rootfs"), State.NOT_MADE),
)


def sample() -> Report:
    """The report; the user's names in it are hostile."""
    return Report(
        config=HOSTILE,
        out=f"/srv/{HOSTILE}",
        written=1795554223.0,
        images=("vm_img",),
        stages=STAGES,
        run=Run(
            1795554200.0,
            (
                Work("packages", 0.0, 0.6, Outcome.MADE),
                Work("rootfs", 0.6, 3.4, Outcome.MADE),
                Work("persist", 0.6, 0.601, Outcome.FAILED),
                Work("system_img", 3.4, 4.0, Outcome.NO_END),
            ),
        ),
        disk=Disk(
            TABLE,
            tuple(
                PartitionUse(
                    part,
                    None
                    if part.label == "ROOT-B"
                    else FileSystem(part.kind, part.size_mib * MIB, part.size_mib * MIB // 4),
                    part.label == "ROOT-B",
                )
                for part in TABLE.partitions
            ),
            True,
        ),
        packages=tuple(
            PackageSize(f"package-{number}-1.x86_64", (40 - number) * MIB) for number in range(40)
        ),
        folders=(
            Folder("/", 0, 500 * MIB),
            Folder("/usr", 1, 400 * MIB),
            Folder(f"/usr/{HOSTILE}", 2, 300 * MIB),
        ),
        results=(
            ResultFile("system.img", 20480 * MIB, 600 * MIB),
            ResultFile("kubeos.tar", 500 * MIB, 500 * MIB, "ab" * 32),
        ),
        missing=("system.qcow2",),
    )
