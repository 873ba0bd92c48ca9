"""The steps by which the image's own dracut makes an initramfs for any machine."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.args import Arg, Artifact, Content, Location, data, joined, scratch
from kbimg_tasks.steps.sandbox import FACTORY_AS_VAR, Sandbox, nosync
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run

MODULES = "/usr/lib/dracut/modules.d"
# Creates the machine-id of a node: part of every initramfs of kbimg.
IDENTITY = "90kubeos"
# Mounts a verified root file system; contains /usr/bin/kubeos-dmv, which the system has too.
VERITY = "92kubeos-verity"
_NAME_AT = 2  # a module's folder is its name behind two digits of order


def tree_for(system: Artifact, upper: Artifact | Location) -> Sandbox:
    """The tree that dracut runs in; changes go to `upper`."""
    return Sandbox(root=scratch("root"), layers=(system,), upper=upper, moves=(FACTORY_AS_VAR,))


def with_modules(tree: Sandbox, *modules: str) -> Iterator[Step]:
    """The steps that copy kbimg's modules, folders of data/dracut, next to dracut's own."""
    for module in modules:
        yield tree.wrap(
            run("cp", "--recursive", data(f"dracut/{module}"), joined(tree.root, MODULES))
        )


def ready(
    tree: Sandbox, architecture: Architecture, binds: tuple[tuple[Arg, Arg], ...] = ()
) -> Sandbox:
    """The tree as dracut runs inside it: its temporary files and log are not kept."""
    return evolve(tree, tmpfs=("/var/tmp", "/var/log"), binds=binds).running_in(architecture)


def dracut(
    inside: Sandbox,
    modules: tuple[str, ...],
    target: str,
    described: Stage,
    clock: Arg,
    without: tuple[str, ...] = (),
) -> Step:
    """The step that makes the initramfs at the path `target` of the tree.

    `described` is the stage with the kernel version and the best compressor for its initramfs;
    `without` are modules of dracut to leave out. The same tree gives the same bytes: dracut(8),
    --reproducible. The initramfs has no device nodes, which only root of the host can create: the
    kernel's built-in file system has the console, and devtmpfs the other devices.
    """
    names = " ".join(module[_NAME_AT:] for module in modules)
    return nosync(
        inside.wrap(
            run(
                "dracut",
                "--force",
                "--no-hostonly",
                "--no-hostonly-cmdline",
                "--reproducible",
                "--nostrip",
                "--no-early-microcode",
                "--add",
                names,
                *(("--omit", " ".join(without)) if without else ()),
                joined("--compress=", Content(described["compressor"])),
                target,
                Content(described["kernel-version"]),
                SOURCE_DATE_EPOCH=clock,
                DRACUT_NO_XATTR="1",
                DRACUT_NO_MKNOD="1",
            )
        )
    )
