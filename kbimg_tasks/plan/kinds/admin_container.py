"""admin_container: the container from which operators reach a node."""

from __future__ import annotations

from pathlib import Path

from kbimg_tasks.config.model import Config
from kbimg_tasks.config.tables import ADMIN_BASE, AdminContainer
from kbimg_tasks.plan.kinds.kind import Container, ImageKind, ImagePlan, with_results
from kbimg_tasks.plan.root import SAVING, Given
from kbimg_tasks.plan.system import System
from kbimg_tasks.stages import admin_container, archive, container, contents, packages
from kbimg_tasks.steps.args import Arg, Content, scratch
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage


def plan(config: Config, given: Given, _system: System | None) -> ImagePlan | None:
    """The container, built on a base image by a container engine or from packages."""
    asked = config.admin_container
    if asked is None:
        return None
    repo = repository(config)
    if given.builder or repo is None:
        stages = _on_base_image(asked, given)
    else:
        stages = _from_packages(asked, repo, given)
    return ImagePlan(stages, with_results(stages), container=Container(asked.img_name, stages[-1]))


def repository(config: Config) -> Path | None:
    """The repository file that its packages come from."""
    if config.admin_container and config.admin_container.repo_path:
        return config.admin_container.repo_path
    return config.from_repo.repo_path if config.from_repo else None


def _on_base_image(asked: AdminContainer, given: Given) -> tuple[Stage, ...]:
    return (
        admin_container.built_on(
            asked.base_image or ADMIN_BASE,
            asked.img_name,
            asked.hostshell,
            given.builder or SAVING[0],
        ),
    )


def _from_packages(asked: AdminContainer, repo: Path, given: Given) -> tuple[Stage, ...]:
    """The stages, the archive last."""
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
    tree = Sandbox(root=scratch("root"), layers=(rootfs["rootfs"], own["layer"]))
    tar = archive.tree_tar("admin_tar", "the admin container's tree as one layer", tree, clock)
    archived = container.archive(
        admin_container.ARCHIVE,
        admin_container.RESULT,
        f"{admin_container.RESULT}, the container that operators log in to",
        container.ContainerImage(
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


KIND = ImageKind(
    name="admin_container",
    summary="the admin container: admin_container.tar, loaded into the container engine",
    needs=(("admin_container",),),
    configured_by=(("admin_container",),),
    reads=frozenset(("admin_container",)),
    archive=admin_container.RESULT,
    is_container=True,
    may_need_engine=True,
    not_started="the admin container is run by a container engine (docs/containers.md)",
    plan=plan,
)
