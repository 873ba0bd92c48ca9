"""A whole kbimg.toml as one value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import evolve, field, frozen

from kbimg_tasks.config.document import Document
from kbimg_tasks.config.repository import Repository
from kbimg_tasks.config.tables import (
    AdminContainer,
    ChrootScript,
    CopyFile,
    DiskPartition,
    DmVerity,
    FromDockerimg,
    FromRepo,
    Grub,
    PersistMkdir,
    PxeConfig,
    SystemdService,
    User,
)
from kbimg_tasks.diagnostics.problem import ERROR, Option, Problem


@frozen
class Config:
    """A whole kbimg.toml. Paths are absolute."""

    path: Path
    from_repo: FromRepo | None = None
    from_dockerimg: FromDockerimg | None = None
    admin_container: AdminContainer | None = None
    pxe_config: PxeConfig | None = None
    users: tuple[User, ...] = ()
    copy_files: tuple[CopyFile, ...] = ()
    grub: Grub | None = None
    systemd_service: SystemdService = SystemdService()
    chroot_script: ChrootScript | None = None
    disk_partition: DiskPartition = DiskPartition()
    persist_mkdir: PersistMkdir = PersistMkdir()
    dm_verity: DmVerity | None = None
    document: Document = field(default=Document(), eq=False, repr=False)
    # The repositories of each valid repository file.
    repositories: Mapping[Path, tuple[Repository, ...]] = field(factory=dict, eq=False, repr=False)

    @property
    def is_legacy(self) -> bool:
        """Whether the image is for legacy BIOS instead of UEFI."""
        return any(
            source is not None and source.legacy_bios
            for source in (self.from_repo, self.from_dockerimg)
        )

    def for_uefi(self) -> Config:
        """This configuration for UEFI instead of legacy BIOS."""
        repo, image = self.from_repo, self.from_dockerimg
        return evolve(
            self,
            from_repo=repo and evolve(repo, legacy_bios=False),
            from_dockerimg=image and evolve(image, legacy_bios=False),
        )

    def repositories_of(self, file: Path | None) -> tuple[Repository, ...]:
        """The repositories of a repository file; none without a file, or if it is not valid."""
        return self.repositories.get(file, ()) if file else ()

    def problem(self, option: Option, message: str, severity: str = ERROR) -> Problem:
        """A problem of an option or table, such as ("grub", "passwd")."""
        return self.document.problem(option, message, severity=severity)


TABLES: Mapping[str, type] = {
    "from_repo": FromRepo,
    "from_dockerimg": FromDockerimg,
    "admin_container": AdminContainer,
    "pxe_config": PxeConfig,
    "grub": Grub,
    "systemd_service": SystemdService,
    "chroot_script": ChrootScript,
    "disk_partition": DiskPartition,
    "persist_mkdir": PersistMkdir,
    "dm_verity": DmVerity,
}
ARRAYS: Mapping[str, type] = {"users": User, "copy_files": CopyFile}

# The source of the root file system: one of these tables must exist.
SOURCES = ("from_repo", "from_dockerimg")
# Additions to a root tree that is built from packages.
OF_THE_TREE = ("users", "copy_files", "grub", "systemd_service", "chroot_script")
# Tables that a root tree from packages depends on.
SYSTEM_TABLES = ("from_repo", *OF_THE_TREE, "disk_partition", "persist_mkdir")
