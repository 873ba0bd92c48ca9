"""The additions of the configuration to the root tree, over the installed packages."""

from __future__ import annotations

from collections.abc import Iterator

from kbimg_tasks.config.model import Config
from kbimg_tasks.config.tables import ChrootScript, CopyFile, User
from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.stages.recipes.dracut import VERITY
from kbimg_tasks.steps.args import (
    Arg,
    Artifact,
    Location,
    Secret,
    Stdin,
    UserFile,
    data,
    joined,
    scratch,
)
from kbimg_tasks.steps.sandbox import FACTORY_AS_VAR, Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool

UNITS = "/usr/lib/systemd/system"
MOUNTS = ("persist.mount", "etc.mount", "opt-cni.mount", "var.mount", "tmp.mount")
ESP_MOUNT, GRUB2_MOUNT = "boot-efi.mount", "boot-grub2.mount"
SERVICES = ("kubeos-machine-id.service", "os-agent.service")
SLOT_GOOD = "kubeos-slot-good.service"
# Linked directly instead of enabled, because the unit may be missing: an image without Kubernetes
# is valid.
KUBELET = (
    "/etc/systemd/system/multi-user.target.wants/kubelet.service",
    f"{UNITS}/kubelet.service",
)


def customised(
    config: Config, architecture: Architecture, ids: Ids, layers: tuple[Artifact, ...], clock: Arg
) -> Stage:
    """The topmost layer of the tree, with the additions of the configuration."""
    name = "customised"
    layer, root = Artifact(name, "layer", is_tree=True), scratch("root")
    tree = Sandbox(root=root, layers=layers, upper=layer, moves=(FACTORY_AS_VAR,))
    inside = tree.running_in(architecture)
    assert config.from_repo is not None
    steps = [
        *_system(tree, inside, root, config),
        tree.wrap(
            _set_password(
                root,
                "root",
                Secret("root_passwd", config.from_repo.root_passwd.reveal() + "\n"),
                clock,
            )
        ),
    ]
    users = {user.name for user in config.users}
    # A file may be needed for creating users (/etc/skel, a group), or may belong to a user.
    first: list[Step] = []
    last: list[Step] = []
    for number, entry in enumerate(config.copy_files):
        is_theirs = users & set((entry.owner or "").split(":"))
        step = tree.wrap(_copy(root, entry)).doing("copy_files", number)
        (last if is_theirs else first).append(step)
    steps += first
    for number, user in enumerate(config.users):
        steps += (
            step.doing("users", number) for step in _user(tree, inside, root, user, ids, clock)
        )
    steps += last
    if config.systemd_service.name:
        steps.append(
            inside.wrap(run("systemctl", "enable", "--", *config.systemd_service.name)).doing(
                "systemd_service", "name"
            )
        )
    if config.chroot_script:
        steps += _script(tree, inside, root, config.chroot_script, clock)
    steps.append(tree.wrap(tool("settle_rpmdb", joined(root, FACTORY_AS_VAR[0], "/lib/rpm"))))
    steps.append(
        tree.wrap(
            tool(
                "list_factory",
                joined(root, "/usr/share/factory/var"),
                joined(root, "/usr/lib/tmpfiles.d/kubeos-var.conf"),
            )
        )
    )
    return Stage(
        name, "units, users, files and scripts of the configuration", clock, (layer,), tuple(steps)
    )


def _system(tree: Sandbox, inside: Sandbox, root: Location, config: Config) -> Iterator[Step]:
    """The additions that every KubeOS image has, for any configuration."""
    assert config.from_repo is not None
    release = "/usr/lib/os-release"
    mounts = (*MOUNTS, GRUB2_MOUNT if config.is_legacy else ESP_MOUNT)
    units = tuple(data(f"units/{unit}") for unit in (*mounts, *SERVICES))
    yield tree.wrap(
        run(
            "install",
            "--mode=500",
            "--owner=0",
            "--group=0",
            UserFile(config.from_repo.agent_path),
            joined(root, "/usr/bin/os-agent"),
        )
    )
    yield tree.wrap(
        run("install", "--mode=644", joined("--target-directory=", root, UNITS), *units)
    )
    yield tree.wrap(
        run(
            "install",
            "-D",
            "--mode=644",
            data("system/journald.conf"),
            joined(root, "/usr/lib/systemd/journald.conf.d/10-kubeos.conf"),
        )
    )
    yield tree.wrap(
        tool(
            "fill",
            data("system/os-release"),
            joined(root, release),
            f"VERSION={config.from_repo.version}",
        )
    )
    yield tree.wrap(
        run("ln", "--symbolic", "--force", "../usr/lib/os-release", joined(root, "/etc/os-release"))
    )
    yield inside.wrap(run("systemctl", "enable", *mounts, *SERVICES))
    if config.dm_verity:
        yield tree.wrap(
            run(
                "install",
                "--mode=755",
                data(f"dracut/{VERITY}/kubeos-dmv"),
                joined(root, "/usr/bin/kubeos-dmv"),
            )
        )
        yield tree.wrap(
            run("install", "--mode=644", data(f"verity/{SLOT_GOOD}"), joined(root, UNITS))
        )
        yield inside.wrap(run("systemctl", "enable", SLOT_GOOD))
    link, unit = KUBELET
    yield inside.wrap(run("ln", "--symbolic", "--force", unit, link))


def _set_password(root: Location, user: str, secret: Stdin, clock: Arg) -> Step:
    step = tool("set_password", joined(root, "/etc/shadow"), user, SOURCE_DATE_EPOCH=clock)
    return step.fed(secret)


def _copy(root: Location, entry: CopyFile) -> Step:
    options: list[Arg] = [joined("--root=", root)]
    options += [f"--create-dir={entry.create_dir}"] if entry.create_dir else []
    options += [f"--mode={entry.mode:04o}"] if entry.mode is not None else []
    options += [f"--owner={entry.owner}"] if entry.owner else []
    return tool("copy_into", *options, "--", UserFile(entry.src), entry.dst)


def _user(
    tree: Sandbox, inside: Sandbox, root: Location, user: User, ids: Ids, clock: Arg
) -> Iterator[Step]:
    """The account and its password. A group with the user's name is created, other groups must
    exist."""
    own_group = user.primary_group in (None, user.name)
    group = ("--user-group",) if own_group else ("--gid", str(user.primary_group))
    extra = ("--groups", ",".join(user.groups)) if user.groups else ()
    hashed = scratch(f"password-of-{user.name}")
    salt = ids.crypt_salt(f"user/{user.name}")
    yield inside.wrap(
        run(
            "useradd",
            "--create-home",
            "--shell",
            "/bin/bash",
            *group,
            *extra,
            "--",
            user.name,
            SOURCE_DATE_EPOCH=clock,
        )
    )
    yield (
        run("openssl", "passwd", "-6", "-stdin", "-salt", salt)
        .fed(Secret(f"users.{user.name}.passwd", user.passwd.reveal() + "\n"))
        .into(hashed)
    )
    yield tree.wrap(_set_password(root, user.name, hashed, clock))


def _script(
    tree: Sandbox, inside: Sandbox, root: Location, script: ChrootScript, clock: Arg
) -> Iterator[Step]:
    place = f"/{script.path.name}"
    yield tree.wrap(run("install", "--mode=755", UserFile(script.path), joined(root, place)))
    yield inside.wrap(run(place, SOURCE_DATE_EPOCH=clock)).doing("chroot_script", "path")
    if script.rm:
        yield tree.wrap(run("rm", "--", joined(root, place)))
