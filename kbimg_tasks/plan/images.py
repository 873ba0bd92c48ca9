"""The arrows: which stage stands on which. Pure: no disk, no clock, no process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from attrs import evolve, frozen

from kbimg_tasks.config.model import Config
from kbimg_tasks.config.tables import ADMIN_BASE, AdminContainer, PxeConfig
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Table, plan_table
from kbimg_tasks.plan import verified
from kbimg_tasks.plan.root import SAVING, Given, Machine, Root, from_packages, from_upgrade_image
from kbimg_tasks.stages import (
    admin_container,
    archive,
    container,
    contents,
    disk,
    filesystems,
    from_image,
    packages,
    pxe,
)
from kbimg_tasks.steps.programs import programs
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Arg, Artifact, Content, Scratch, Stage
from kbimg_tasks.steps.target import Target


@frozen
class Container:
    """A container image's name, and the stage that writes its archive."""

    name: str
    stage: Stage


@frozen
class Plan:
    """The stages in build order, which of them each image's results come from, which images are
    container images, and the order-only prerequisites of each image: stages that only check, made
    before everything else of the image, and whose results count for nothing."""

    stages: tuple[Stage, ...]
    images: dict[str, tuple[Stage, ...]]
    containers: dict[str, Container]
    order_only: dict[str, tuple[Stage, ...]]

    def standing_under(self, names: Iterable[str]) -> tuple[Stage, ...]:
        """The stages that these images or stages are made from, themselves included."""
        wanted = set(names)
        wanted |= {stage.name for name in wanted for stage in self.images.get(name, ())}
        for stage in reversed(self.stages):
            if stage.name in wanted:
                wanted |= {need.stage for need in stage.needs()}
        return tuple(stage for stage in self.stages if stage.name in wanted)

    def in_order(self, image: str) -> tuple[Stage, ...]:
        """The stages of an image one after the other, its order-only prerequisites first."""
        first = self.standing_under(stage.name for stage in self.order_only.get(image, ()))
        return first + tuple(stage for stage in self.standing_under([image]) if stage not in first)

    def order_only_of(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The order-only prerequisites of each stage, when these images are made."""
        checks = [stage.name for name in names for stage in self.order_only.get(name, ())]
        before = self.standing_under(checks)
        return {stage.name: tuple(checks) for stage in self.stages if stage not in before}


NOTHING_GIVEN = Given()


def plan(config: Config, given: Given = NOTHING_GIVEN) -> Plan:
    """Everything that a configuration can be made into."""
    stages: tuple[Stage, ...] = ()
    images: dict[str, tuple[Stage, ...]] = {}
    containers: dict[str, Container] = {}
    order_only: dict[str, tuple[Stage, ...]] = {}
    if config.from_repo or config.from_dockerimg:
        table = disk_table(config)
        ids = Ids.of(table)
        if config.dm_verity:
            root, machine = verified.planned(config, config.dm_verity, given, table, ids)
        else:
            root = (
                from_packages(config, given, table, ids)
                if config.from_repo
                else from_upgrade_image(config, given, table, ids)
            )
            machine = virtual_machine(config, root, table, ids)
        tar_sum = archive.checksum(root.tar)
        stages += tuple(
            dict.fromkeys(
                (
                    *machine.order_only,
                    *root.stages,
                    *machine.stages,
                    root.tar,
                    tar_sum,
                    machine.disk_sum,
                )
            )
        )
        images["vm_img"] = tuple(
            stage
            for stage in (*machine.stages, root.tar, tar_sum)
            if any(artifact.is_result for artifact in stage.artifacts)
        )
        order_only["vm_img"] = machine.order_only
        if config.pxe_config and not config.dm_verity and not table.is_legacy:
            checked, made = installer(config, config.pxe_config, root, table, ids)
            stages = tuple(dict.fromkeys((*stages, checked, root.kernel, *made)))
            order_only["pxe_img"] = (checked,)
            images["pxe_img"] = (*made, root.tar, tar_sum)
        if config.from_repo and config.from_repo.upgrade_img:
            name = config.from_repo.upgrade_img
            upgrade = evolve(
                container.archive(
                    "upgrade_archive",
                    "upgrade_img.tar",
                    "upgrade_img.tar, the container image that nodes upgrade from",
                    container.Image(
                        name,
                        root.architecture,
                        tuple(container.file(file, path) for path, file in machine.upgrade.items()),
                    ),
                    root.clock,
                ),
                implicit_inputs=machine.checked,
            )
            stages += (upgrade,)
            images["upgrade_img"] = (upgrade, *machine.upgrade_files, root.tar, tar_sum)
            containers["upgrade_img"] = Container(name, upgrade)
            order_only["upgrade_img"] = machine.order_only
        told = (*root.described, contents.build_tools(programs(stages), root.tar["kubeos.tar"]))
        stages += told
        images = {image: (*made, *told) for image, made in images.items()}
    if config.admin_container:
        made = admin(config.admin_container, config, given)
        stages += made
        images["admin_container"] = tuple(
            stage for stage in made if any(artifact.is_result for artifact in stage.artifacts)
        )
        containers["admin_container"] = Container(config.admin_container.img_name, made[-1])
    return Plan(stages, images, containers, order_only)


def disk_table(config: Config) -> Table:
    """The partition table of a configuration's disk."""
    sizes = config.disk_partition
    return plan_table(
        sizes.root_mib, sizes.image_gib, legacy=config.is_legacy, verity=bool(config.dm_verity)
    )


def admin(asked: AdminContainer, config: Config, given: Given) -> tuple[Stage, ...]:
    """The admin container, its archive last."""
    repo = admin_repository(config)
    if given.builder or repo is None:
        return (
            admin_container.built_on(
                asked.base_image or ADMIN_BASE,
                asked.img_name,
                asked.hostshell,
                given.builder or SAVING[0],
            ),
        )
    chosen = packages.packages(
        "admin_packages",
        given.architecture,
        packages.Wanted(admin_container.PACKAGES, admin_container.INITS),
        packages.Repositories(repo, given.admin_repomds, is_offline=given.is_offline),
        given.epoch,
    )
    clock: Arg = given.epoch or Content(chosen["clock"])
    rootfs = packages.container_rootfs("admin_rootfs", chosen, given.architecture, clock)
    own = admin_container.customised(rootfs, given.architecture, asked.hostshell, clock)
    tree = Sandbox(root=Scratch("root"), layers=(rootfs["rootfs"], own["layer"]))
    tar = archive.tree_tar("admin_tar", "the admin container's tree as one layer", tree, clock)
    archived = container.archive(
        admin_container.ARCHIVE,
        admin_container.RESULT,
        f"{admin_container.RESULT}, the container that operators log in to",
        container.Image(
            asked.img_name,
            given.architecture,
            (container.layer(tar["tree.tar"]),),
            admin_container.SETTINGS,
        ),
        clock,
    )
    told = contents.sbom(
        chosen, contents.Subject("container", asked.img_name), clock, "admin_", "admin_container."
    )
    return (chosen, rootfs, own, tar, told, archived)


def admin_repository(config: Config) -> Path | None:
    """The repository file that the admin container's packages come from."""
    if config.admin_container and config.admin_container.repo_path:
        return config.admin_container.repo_path
    return config.from_repo.repo_path if config.from_repo else None


def installer(
    config: Config, asked: PxeConfig, root: Root, table: Table, ids: Ids
) -> tuple[Stage, tuple[Stage, ...]]:
    """What a bare machine starts to install the root file system by itself, behind its check."""
    lacking = (
        "add {package} to from_repo.rpmlist"
        if config.from_repo
        else "build the upgrade image with {package} in from_repo.rpmlist"
    )
    checked = pxe.programs(root.listed, asked, lacking)
    folders = (*filesystems.PERSIST_FOLDERS, *config.persist_mkdir.name)
    return checked, (
        pxe.kernel(root.system),
        pxe.initramfs(
            root.system,
            root.kernel,
            asked,
            folders,
            Target(root.architecture, table, ids, root.clock),
        ),
    )


def virtual_machine(config: Config, root: Root, table: Table, ids: Ids) -> Machine:
    """The disk with what is on it, and what an upgrade image of it holds."""
    clock = root.clock
    first = table.partitions[0]
    boot = (filesystems.grub2 if table.is_legacy else filesystems.esp)(root.tree, first, ids, clock)
    root_b = filesystems.root_b(table.by_label("ROOT-B"), ids, clock)
    persist = filesystems.persist(table.by_label("PERSIST"), config.persist_mkdir.name, ids, clock)
    images: dict[str, Artifact] = {
        first.label: boot.artifacts[0],
        "ROOT-B": root_b["root-b.img"],
        "PERSIST": persist["persist.img"],
    }
    img = disk.system_img(table, images, ids, clock, root.tree)
    qcow2 = disk.system_qcow2(img)
    return Machine(
        (boot, root_b, persist, img, qcow2, archive.checksum(qcow2)),
        archive.checksum(img),
        {from_image.ROOT_TAR: root.tar["kubeos.tar"]},
    )
