"""vm_img: the disk of a virtual machine."""

from __future__ import annotations

from kbimg_tasks.config.kind import Start
from kbimg_tasks.config.model import SOURCES, SYSTEM_TABLES, Config
from kbimg_tasks.plan.kinds.kind import ImageKind, ImagePlan, with_results
from kbimg_tasks.plan.root import Given
from kbimg_tasks.plan.system import System


def plan(_config: Config, _given: Given, system: System | None) -> ImagePlan | None:
    """The disk, as a raw image and as qcow2, and the root file system's tar."""
    if system is None:
        return None
    machine = system.machine
    stages = (
        *machine.order_only,
        *system.root.stages,
        *machine.stages,
        *system.tar,
        machine.disk_sum,
    )
    return ImagePlan(stages, with_results((*machine.stages, *system.tar)), machine.order_only)


KIND = ImageKind(
    name="vm_img",
    summary="the virtual machine image: system.img, system.qcow2, kubeos.tar",
    needs=(SOURCES,),
    configured_by=tuple((source,) for source in SOURCES),
    reads=frozenset((*SYSTEM_TABLES, "from_dockerimg", "dm_verity")),
    archive="kubeos.tar",
    start=Start.DISK,
    plan=plan,
)
