"""Checks before the first stage that this host can run a build; reports all problems at once.

The required programs are derived from the planned steps; `data/programs.toml` has the packages that
contain them.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import tomli

from kbimg_tasks.host import process
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.machine.architecture import ARCHITECTURES
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.programs import machines, programs
from kbimg_tasks.steps.render import tool_module
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tools.units import MIB

SELINUX = Path("/sys/fs/selinux/enforce")
FILESYSTEMS = Path("/proc/filesystems")
EMULATION = tool_module("emulation")


def problems(stages: Collection[Stage], layout: Layout, needed_mib: int) -> list[str]:
    """Everything on this host that would make the stages fail, each with what to do about it."""
    lacking = [*_root(), *_architecture(), *_programs(stages)]
    return [
        *lacking,
        *(() if lacking or not stages else _namespaces()),
        *(() if lacking else _emulation(stages)),
        *_selinux(),
        *_overlay(),
        *_space(layout, needed_mib),
    ]


def _root() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "building needs root: packages set owners, and their scriptlets run in a chroot"


def _architecture() -> Iterator[str]:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        yield f"this host is {machine}; images are built on {', '.join(ARCHITECTURES)}"


def _programs(stages: Iterable[Stage]) -> Iterator[str]:
    packages: dict[str, dict[str, str]] = tomli.loads(
        (DATA / "programs.toml").read_text(encoding="utf-8")
    )
    for wanted in sorted(programs(stages), key=lambda one: one.names):
        if any(shutil.which(name) for name in wanted.names):
            continue
        entry = packages.get(wanted.names[0], {})
        debian, openeuler = entry.get("debian", "?"), entry.get("openeuler", "?")
        yield (
            f"no program {' or '.join(wanted.names)}: it is in the package {debian} on Debian, "
            f"{openeuler} on openEuler"
        )


def _namespaces() -> Iterator[str]:
    """Try whether programs can run in their own mount namespace, as all programs of a build do."""
    tried = process.run(["sh", "-c", ":"])
    if tried.returncode != 0:
        yield (
            f"cannot create a mount namespace: {process.error_line(tried)}. In a "
            "chroot, its top must be a mount point; in a container, CAP_SYS_ADMIN is needed"
        )


def _emulation(stages: Iterable[Stage]) -> Iterator[str]:
    """Try whether programs of the image's architecture run here, if any stage runs them."""
    for machine in sorted(machines(stages)):
        if machine != platform.machine():
            tried = process.run([sys.executable, "-m", EMULATION, machine])
            if tried.returncode != 0:
                yield process.error_line(tried)


def _selinux() -> Iterator[str]:
    try:
        enforcing = SELINUX.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return
    if enforcing:
        yield "SELinux is enforcing, and would label the image like this host: run setenforce 0"


def _overlay() -> Iterator[str]:
    if "overlay" not in FILESYSTEMS.read_text(encoding="ascii").split():
        # If the module exists, the kernel loads it at the first mount.
        release = os.uname().release
        module = Path("/lib/modules") / release / "kernel/fs/overlayfs"
        if not module.is_dir():
            yield f"the kernel {release} has no overlay file system: modprobe overlay"


def _space(layout: Layout, needed_mib: int) -> Iterator[str]:
    there = layout.out
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free // MIB
    if free < needed_mib:
        yield f"{layout.out}: this build needs {needed_mib} MiB there, and {free} MiB are free"
