"""upgrade_img: the container image that nodes upgrade from."""

from __future__ import annotations

from attrs import evolve

from kbimg_tasks.config.model import SYSTEM_TABLES, Config
from kbimg_tasks.plan.kinds.kind import Container, ImageKind, ImagePlan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.plan.system import System
from kbimg_tasks.stages import container


def plan(config: Config, _given: Given, system: System | None) -> ImagePlan | None:
    """The archive with the files for a node's other slot."""
    name = config.from_repo.upgrade_img if config.from_repo else None
    if system is None or not name:
        return None
    root, machine = system.root, system.machine
    upgrade = evolve(
        container.archive(
            "upgrade_archive",
            "upgrade_img.tar",
            "upgrade_img.tar, the container image that nodes upgrade from",
            container.ContainerImage(
                name,
                root.architecture,
                tuple(container.file(file, path) for path, file in machine.upgrade.items()),
            ),
            root.clock,
        ),
        implicit_inputs=machine.checked,
    )
    return ImagePlan(
        (upgrade,),
        (upgrade, *machine.upgrade_files, *system.tar),
        machine.order_only,
        Container(name, upgrade),
    )


KIND = ImageKind(
    name="upgrade_img",
    summary="the upgrade image: upgrade_img.tar, loaded into the container engine",
    needs=(("from_repo",),),
    configured_by=(("from_repo", "upgrade_img"),),
    reads=frozenset((*SYSTEM_TABLES, "dm_verity")),
    archive="upgrade_img.tar",
    is_container=True,
    not_started="an upgrade image is not a disk: a node writes it to its other slot "
    "(docs/upgrading.md); vm-img boots the same root file system",
    plan=plan,
)
