"""The definitions in `data/`, checked without making packages."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kbimg_tasks.demo_repo.definitions import (
    DATA,
    Attributes,
    RepositoryDefinition,
    read_repository,
)

GUIDE = [
    "NetworkManager",
    "cloud-init",
    "conntrack-tools",
    "containerd",
    "containernetworking-plugins",
    "cri-tools",
    "dhcp",
    "ebtables",
    "ethtool",
    "iptables",
    "kernel",
    "kubernetes-kubeadm",
    "kubernetes-kubelet",
    "openssh-server",
    "passwd",
    "rsyslog",
    "socat",
    "tar",
    "vi",
    "coreutils",
    "dosfstools",
    "dracut",
    "gawk",
    "hwinfo",
    "net-tools",
    "parted",
]
ADDED = [
    "grub2-efi",
    "grub2-tools",
    "grub2-efi-x64-modules",
    "grub2-pc-modules",
    "grub2",
    "efibootmgr",
    "veritysetup",
    "shim",
    "mokutil",
    "grub2-efi-x64",
]
NODE = [
    "bash",
    "curl",
    "e2fsprogs",
    "iproute",
    "kmod",
    "openssh-clients",
    "shadow",
    "shadow-utils",
    "systemd",
    "util-linux",
    "zstd",
]
SCRIPTS = sorted(
    path
    for path in DATA.rglob("*")
    if path.is_file()
    and (path.name in ("pre", "post", "posttrans") or path.read_bytes().startswith(b"#!/bin/sh"))
)


@pytest.fixture(scope="module")
def described() -> RepositoryDefinition:
    return read_repository()


def names(described: RepositoryDefinition, architecture: str) -> set[str]:
    """The names and provides of an RPM that are known without apt."""
    wanted = {name for group in described.debian_names(architecture) for name in group}
    known = {described.renames.get(name, name) for name in wanted}
    for package in described.for_architecture(architecture):
        known |= {package.name, *package.provides}
    return known


@pytest.mark.parametrize("name", [*GUIDE, *ADDED, *NODE])
def test_every_name_of_the_guide_is_there(described: RepositoryDefinition, name: str) -> None:
    assert name in names(described, "amd64")


@pytest.mark.parametrize("name", ["grub2-efi", "grub2-tools", "grub2-efi-aa64-modules", "shim"])
def test_the_names_of_arm64_are_there(described: RepositoryDefinition, name: str) -> None:
    assert name in names(described, "arm64")


def test_a_host_with_dnf_is_asked_for_all_of_them(described: RepositoryDefinition) -> None:
    assert not set(GUIDE + ADDED) - set(described.rpm_names("amd64"))


def test_what_is_required_is_there(described: RepositoryDefinition) -> None:
    for package in described.for_architecture("amd64"):
        missing = {*package.requires, *package.requires_first} - names(described, "amd64")
        # Debian's findutils, gzip and others are asked for by name.
        assert not missing, package.name


def test_the_members_of_the_group_are_there(described: RepositoryDefinition) -> None:
    tree = ElementTree.parse(DATA / "comps.xml")
    assert tree.findtext("group/id") == "kubeos-node"
    assert not {each.text for each in tree.iter("packagereq")} - names(described, "amd64")


def test_standins_say_so(described: RepositoryDefinition) -> None:
    for package in described.packages:
        assert not (package.standin and package.made_from), package.name
        for path in package.added_files().values() if package.standin else ():
            assert "stand-in" in path.read_text(encoding="utf-8").lower(), path


def test_attributes_can_be_read(described: RepositoryDefinition) -> None:
    for package in described.packages:
        for text in [
            *package.attributes.values(),
            *package.directories.values(),
            *package.ghosts.values(),
        ]:
            Attributes.parse(text)


def test_users_are_made_before_they_own_anything(described: RepositoryDefinition) -> None:
    shipped = {
        line.partition(":")[0]
        for name in ("passwd", "group")
        for line in (DATA / f"packages/setup/files/etc/{name}").read_text().splitlines()
    }
    for package in described.packages:
        owners = [
            Attributes.parse(text)
            for text in [*package.attributes.values(), *package.directories.values()]
        ]
        used = {name for owner in owners for name in (owner.user, owner.group)} - shipped
        text = package.scriptlets().get("pre", "")
        assert all(
            re.search(rf"(user|group)add [^\n]*(\n +[^\n]*)*\b{name}\b", text) for name in used
        ), package.name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(DATA)))
def test_scripts_are_scripts(script: Path) -> None:
    if shutil.which("shellcheck"):
        argv = ["shellcheck", "--shell=sh", str(script)]
    else:
        argv = ["sh", "-n", str(script)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_accounts_agree() -> None:
    folder = DATA / "packages/setup/files/etc"
    first = {
        name: [line.partition(":")[0] for line in (folder / name).read_text().splitlines()]
        for name in ("passwd", "shadow", "group", "gshadow")
    }
    assert first["passwd"] == first["shadow"]
    assert first["group"] == first["gshadow"]
    assert "wheel" in first["group"]
