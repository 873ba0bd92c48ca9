"""The admin container: sshd, an init, `hostshell` and the service that installs the operator's
key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.args import Arg, Artifact, Size, Unhashed, UserFile, data, joined, scratch
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool

PACKAGES = ("bash", "coreutils", "openssh-clients", "openssh-server", "util-linux")
# The first of them that the repository has.
INITS = ("sysmaster", "systemd")
SETTINGS = data("admin/container.json")
ARCHIVE, RESULT = "admin_archive", "admin_container.tar"
PROGRAMS, OWN = "/usr/local/bin", "/usr/local/lib/kubeos-admin"
FILES = (
    (OWN, "755", "enable"),
    (OWN, "644", "kubeos-ssh-key.service"),
    (OWN, "644", "kubeos-ssh-key.path"),
    (PROGRAMS, "755", "kubeos-ssh-key"),
)


def customised(rootfs: Stage, architecture: Architecture, hostshell: Path, clock: Arg) -> Stage:
    """The layer with kbimg's own files over the packages."""
    name = "admin_customised"
    layer, root = Artifact(name, "layer", is_tree=True), scratch("root")
    tree = Sandbox(root=root, layers=(rootfs["rootfs"],), upper=layer)
    return Stage(
        name,
        "hostshell, the key service and its units",
        clock,
        (layer,),
        steps=(
            *(tree.wrap(step) for step in _files(root, hostshell)),
            tree.running_in(architecture).wrap(run("sh", f"{OWN}/enable")),
        ),
    )


def built_on(base: str, image: str, hostshell: Path, engine: str) -> Stage:
    """The container built by an engine on a base image, and its archive.

    The choice of the engine makes no difference. The engine resolves `base`, in its own store or in
    a registry, when the stage runs.
    """
    made, digests = (
        Artifact(ARCHIVE, RESULT, is_result=True, size=Size.LARGE),
        Artifact(ARCHIVE, "digests"),
    )
    context, tree = scratch("context"), joined(scratch("context"), "/tree")
    build = run(Unhashed(engine), "build", "--tag", image, context, DOCKER_BUILDKIT="0")
    return Stage(
        ARCHIVE,
        f"{RESULT}, the admin container on its base image",
        "0",
        (made, digests),
        steps=(
            run("mkdir", "--parents", tree),
            *_files(tree, hostshell),
            tool(
                "fill",
                data("admin/Dockerfile"),
                joined(context, "/Dockerfile"),
                f"BASE={base}",
                f"PACKAGES={' '.join(PACKAGES)}",
                f"ENABLE={OWN}/enable",
            ),
            build,
            run(Unhashed(engine), "save", image).into(made),
            run(Unhashed(engine), "image", "inspect", "--format", "{{.Id}}", image).into(digests),
        ),
    )


def _files(root: Arg, hostshell: Path) -> Iterator[Step]:
    """The steps that add kbimg's own files to the container."""
    for folder, mode, name in FILES:
        yield run(
            "install",
            "-D",
            f"--mode={mode}",
            data(f"admin/{name}"),
            joined(root, folder, "/", name),
        )
    yield run(
        "install",
        "-D",
        "--mode=500",
        "--owner=0",
        "--group=0",
        UserFile(hostshell),
        joined(root, PROGRAMS, "/hostshell"),
    )
