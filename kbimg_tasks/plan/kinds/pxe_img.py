"""pxe_img: the installer that a bare machine boots from the network, and the system it installs."""

from __future__ import annotations

from kbimg_tasks.config.kind import Start
from kbimg_tasks.config.model import SOURCES, SYSTEM_TABLES, Config
from kbimg_tasks.plan.kinds.kind import ImageKind, ImagePlan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.plan.system import System
from kbimg_tasks.stages import filesystems, pxe
from kbimg_tasks.steps.target import Target


def plan(config: Config, _given: Given, system: System | None) -> ImagePlan | None:
    """The kernel and initramfs of the installer, and the tar that it installs. It installs for UEFI
    only."""
    asked = config.pxe_config
    if system is None or asked is None or config.dm_verity or system.table.is_legacy:
        return None
    root = system.root
    lacking = (
        "add {package} to from_repo.rpmlist"
        if config.from_repo
        else "build the upgrade image with {package} in from_repo.rpmlist"
    )
    checked = pxe.programs(root.listed, asked, lacking)
    folders = (*filesystems.PERSIST_FOLDERS, *config.persist_mkdir.name)
    made = (
        pxe.kernel(root.system),
        pxe.initramfs(
            root.system,
            root.kernel,
            asked,
            folders,
            Target(root.architecture, system.table, system.ids, root.clock),
        ),
    )
    return ImagePlan((checked, root.kernel, *made), (*made, *system.tar), (checked,))


KIND = ImageKind(
    name="pxe_img",
    summary="installation over the network: initramfs.img, vmlinuz, kubeos.tar",
    needs=(SOURCES, ("pxe_config",)),
    configured_by=(("pxe_config",),),
    reads=frozenset((*SYSTEM_TABLES, "from_dockerimg", "pxe_config")),
    archive="kubeos.tar",
    excludes={"dm_verity": "dm-verity is for virtual machines"},
    tasks=("pxe_serve",),
    is_uefi_only=True,
    start=Start.NETWORK,
    plan=plan,
)
