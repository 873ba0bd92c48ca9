"""From package names to an installed tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from attrs import field, frozen

from kbimg_tasks.diagnostics.problem import Option
from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.args import (
    Arg,
    Artifact,
    Content,
    Program,
    Size,
    Unhashed,
    UserFile,
    cache,
    data,
    joined,
    own_program,
    scratch,
)
from kbimg_tasks.steps.blame import Blame
from kbimg_tasks.steps.sandbox import Sandbox, nosync
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool
from kbimg_tasks.tools import lock_format

DNF = Program(("dnf", "yum"))
DNF_CACHE = cache("dnf")
# The path of the database in all RPM distributions that KubeOS uses; Debian's rpm would put it in
# root's home.
RPM_DATABASE = "_dbpath /var/lib/rpm"
# These are mounted during the installation, so no file of a package can be written there.
MOUNTED = "_netsharedpath /dev:/proc:/sys"
# The line of `rpm --verbose` for an installed package.
INSTALLED = r"^[^\s:]+-[^\s-]+-[^\s-]+$"
DOWNLOADED = r"^\((?P<count>\d+)/(?P<total>\d+)\): "


@frozen
class Wanted:
    """The packages to install: `names`, the first of `first_of` that the repositories have, and
    `needed` packages for each purpose, which messages name. `asked_by` is the option that lists
    the names, if one does."""

    names: tuple[str, ...]
    first_of: tuple[str, ...] = ()
    needed: Mapping[str, tuple[str, ...]] = field(factory=dict)
    asked_by: Option = ()


@frozen
class Repositories:
    """The sources of packages: the repositories of `file`.

    `repomds` are the index files of repositories on this machine. With `locked`, a file that
    `lock_packages` wrote, exactly the packages of that file are used. With `is_offline`, no
    repository is contacted.
    """

    file: Path
    repomds: tuple[Path, ...] = ()
    locked: Path | None = None
    is_offline: bool = False


def packages(
    name: str,
    architecture: Architecture,
    wanted: Wanted,
    repositories: Repositories,
    epoch: str | None,
) -> Stage:
    """Resolves the exact packages and downloads them.

    Only one dnf at a time uses the cache folder: dnf's own locks contain process IDs, which are not
    valid in other PID namespaces.
    """
    locked = repositories.locked
    lock, count, clock = (Artifact(name, file) for file in (lock_format.NAME, "count", "clock"))
    # The same names can be other packages, for example a version that was built again.
    listing = Artifact(name, "packages.list", checksums=lock.name)
    indexes = Artifact(name, "indexes")
    resolved, root = scratch("resolved"), scratch("installroot")
    purposes = dict(wanted.needed)
    names = sorted({*wanted.names, *chain(*purposes.values())})  # an order means nothing to dnf
    if locked:
        names = [one for one in names if _is_file(one)]
        purposes = {}
    more = {
        "KBIMG_FIRST_OF": " ".join(wanted.first_of),
        "KBIMG_NEEDED": "\n".join(
            f"{purpose}: {' '.join(sorted(named))}" for purpose, named in purposes.items()
        ),
    }
    dnf = run(
        DNF,
        f"--forcearch={architecture.name}",
        joined("--installroot=", root),
        joined("--config=", UserFile(repositories.file)),
        joined("--setopt=reposdir=", scratch("no-other-repositories")),
        joined("--setopt=cachedir=", DNF_CACHE),
        "--setopt=keepcache=True",
        "--setopt=install_weak_deps=False",
        "--setopt=plugins=True",
        joined("--setopt=pluginpath=", data("dnf")),
        "--setopt=varsdir=/etc/dnf/vars,/etc/yum/vars",
        Unhashed("--cacheonly" if repositories.is_offline else "--refresh"),
        "--assumeyes",
        "--downloadonly",
        "install",
        "--",
        *map(_package, names),
        HOME=scratch("home"),
        KBIMG_RESOLVED=resolved,
        KBIMG_DNF_CACHE=DNF_CACHE,
        KBIMG_INDEXES=indexes,
        **{name: value for name, value in more.items() if value},
    )
    exact: tuple[Arg, ...] = ()
    if locked:
        dnf = dnf.behind(own_program("name_locked"), UserFile(locked), DNF_CACHE, "--")
        exact = (joined("--locked=", UserFile(locked)),)
    # Some versions of dnf take the cache folder to be inside the installroot, others do not.
    where = Sandbox(root=root, binds=((DNF_CACHE, DNF_CACHE),))
    return Stage(
        name,
        "the exact packages, resolved and downloaded",
        clock=epoch or "0",
        artifacts=(lock, listing, count, clock, indexes),
        steps=(
            where.wrap(dnf)
            .behind("flock", "--no-fork", DNF_CACHE)
            .counting(DOWNLOADED, "0", "packages")
            .blaming(*_absent(wanted, repositories)),
            tool(
                "lock_packages",
                resolved,
                joined("--lock=", lock),
                joined("--list=", listing),
                joined("--count=", count),
                joined("--clock=", clock),
                *exact,
            ),
        ),
        implicit_inputs=() if locked else tuple(UserFile(path) for path in repositories.repomds),
    )


def _absent(wanted: Wanted, repositories: Repositories) -> Iterator[Blame]:
    """What the error messages of dnf(8) for names that it does not know are blamed on."""
    if wanted.asked_by:
        for index, name in enumerate(wanted.names):
            yield Blame(
                (*wanted.asked_by, index),
                f"^No match for argument: {re.escape(name)}$",
                f"no repository of {repositories.file.name} has {name}",
            )


def files(resolved: Stage) -> Step:
    """The step that prints the path of every file in the packages, without installing them."""
    return run(
        "rpm",
        "--query",
        "--list",
        "--nosignature",
        "--package",
        resolved["packages.list"],
        HOME=scratch("home"),
    )


def _package(name: str) -> Arg:
    """A package as an argument of dnf; the content of a user's RPM file is part of the
    fingerprint."""
    return UserFile(Path(name)) if _is_file(name) else name


def _is_file(name: str) -> bool:
    return name.endswith(".rpm") and name.startswith("/")


def rootfs(resolved: Stage, architecture: Architecture, clock: Arg) -> Stage:
    """The installed tree of a bootable system, without data of one machine or one build.

    rpm installs the packages that dnf resolved: the result is that of dnf, without dnf's history
    and logs, which differ in every build. The kernel's scriptlet calls a dracut that does nothing.
    """
    name = "rootfs"
    tree = _tree(name)
    kernel_version, compressor = (Artifact(name, file) for file in ("kernel-version", "compressor"))
    dracut_later = joined(tree, "/etc/dracut.conf.d/00-kbimg-later.conf")
    return Stage(
        name,
        "the packages installed into one tree",
        clock,
        artifacts=(tree, kernel_version, compressor),
        steps=(
            run("install", "-D", "-m", "644", data("dracut/later.conf"), dracut_later),
            _install(tree, resolved, architecture, clock),
            tool(
                "finish_install",
                tree,
                joined("--kernel-version=", kernel_version),
                joined("--compressor=", compressor),
            ),
        ),
        is_shared=True,
    )


def container_rootfs(name: str, resolved: Stage, architecture: Architecture, clock: Arg) -> Stage:
    """The installed tree of a container: no kernel, and an unchanged /var."""
    tree = _tree(name)
    return Stage(
        name,
        "the container's packages installed into one tree",
        clock,
        artifacts=(tree,),
        steps=(
            _install(tree, resolved, architecture, clock),
            tool("finish_install", tree, "--container"),
        ),
        is_shared=True,
    )


def _tree(name: str) -> Artifact:
    return Artifact(name, "rootfs", is_tree=True, size=Size.ROOT)


def _install(tree: Artifact, resolved: Stage, architecture: Architecture, clock: Arg) -> Step:
    rpm = run(
        "rpm",
        joined("--root=", tree),
        "--define",
        RPM_DATABASE,
        "--define",
        MOUNTED,
        "--nosignature",
        "--ignorearch",
        "--install",
        "--verbose",
        resolved["packages.list"],
        HOME=scratch("home"),
        SOURCE_DATE_EPOCH=clock,
    )
    inside = Sandbox(root=tree, kernel=True, machine=architecture.name)
    return nosync(inside.wrap(rpm)).counting(INSTALLED, Content(resolved["count"]), "packages")
