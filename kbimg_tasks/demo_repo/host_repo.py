"""Makes the repository from the host's package repositories, if the host has dnf."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Callable

from kbimg_tasks.demo_repo import programs, repository
from kbimg_tasks.demo_repo.definitions import read_repository
from kbimg_tasks.tools.user_error import UserError


def from_host(options: argparse.Namespace, say: Callable[[str], None]) -> list[Path]:
    """The RPM files: those that dnf finds for the wanted names, and stand-ins for the others.

    `strict=False` lets dnf ignore unknown names. It needs the package dnf-plugins-core, like
    `dnf download` itself.
    """
    programs.require(["dnf", "rpm", "rpmbuild", "createrepo_c"])
    described = read_repository()
    downloads = options.cache / options.arch / "downloads"
    # dnf does not touch existing files, so older versions must be deleted.
    shutil.rmtree(downloads, ignore_errors=True)
    say("downloading from the host's repositories")
    programs.run(
        [
            "dnf",
            "--assumeyes",
            "--setopt=strict=False",
            "--setopt=install_weak_deps=False",
            f"--forcearch={repository.RPM_ARCHITECTURES[options.arch]}",
            *options.dnf_option,
            "download",
            "--resolve",
            "--alldeps",
            f"--destdir={downloads}",
            *described.rpm_names(options.arch),
        ]
    )
    found = sorted(downloads.glob("*.rpm"))
    if not found:
        raise UserError("dnf found none of the packages: are its repositories enabled?")
    names = programs.run(
        [
            "rpm",
            "--query",
            "--nosignature",
            "--queryformat=%{NAME}\n",
            "--package",
            *map(str, found),
        ]
    ).split()
    standins = [
        conversion
        for conversion in repository.plan(described, (), options.arch)
        if conversion.definition.standin and conversion.definition.name not in names
    ]
    say(
        f"{len(found)} RPMs; stand-ins: "
        f"{' '.join(each.definition.name for each in standins) or 'none'}"
    )
    made = repository.make_rpms(standins, options.cache / options.arch / "rpms", say)
    return sorted([*found, *made])
