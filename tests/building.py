"""Builds for tests: configurations, and doit as a user runs it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import started

from kbimg_tasks.tools.sparse_copy import extents

MIB = 1 << 20
TOP = Path(__file__).resolve().parent.parent
DEMO = TOP / "config/demo"
ROOT_HASH = "$1$xyz$RdLyKTL32WEvK3lg8CXID0"  # openEuler12#$
# What the guide does not include in the memory of an idle node.
KUBERNETES = (
    "kubernetes-kubeadm",
    "kubernetes-kubelet",
    "containernetworking-plugins",
    "socat",
    "conntrack-tools",
    "ebtables",
    "ethtool",
)
PACKAGES = (
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
)
SMALL = ("kernel", "passwd", "tar")
PXE_PACKAGES = (
    "NetworkManager",
    "coreutils",
    "curl",
    "dhcp",
    "dosfstools",
    "dracut",
    "gawk",
    "iproute",
    "kernel",
    "openssh-server",
    "parted",
    "passwd",
    "tar",
)


def run_doit(cwd: Path, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run doit as a user in `cwd`, without checking the result."""
    return started.doit(cwd, "-f", str(TOP / "dodo.py"), *argv, env={**os.environ, **env})


def write_config(
    folder: Path,
    packages: tuple = PACKAGES,
    more: str = "",
    version: str = "v1",
    repo: Path = DEMO / "demo.repo",
) -> Path:
    """Write a configuration for the demonstration's repository, or for another."""
    names = "".join(f'    "{name}",\n' for name in packages)
    path = folder / "kbimg.toml"
    path.write_text(
        f'[from_repo]\nagent_path = "{DEMO / "os-agent"}"\nlegacy_bios = false\n'
        f'repo_path = "{repo}"\nroot_passwd = "{ROOT_HASH}"\nversion = "{version}"\n'
        f"rpmlist = [\n{names}]\n{more}"
    )
    return path


def build(folder: Path, *options: str, **env: str) -> Path:
    """Build a folder's kbimg.toml. Returns the output directory."""
    done = run_doit(folder, *options, "vm_img", **env)
    assert done.returncode == 0, done.stdout
    return folder / "scripts-auto"


CUSTOM = """
[[users]]
name = "foo"
passwd = "foo's pass word"
groups = ["wheel", "systemd-journal"]
primary_group = "foo"

[[users]]
name = "bar"
passwd = "bar"
primary_groups = "users"

[[copy_files]]
src = "hello.txt"
dst = "/usr/share/kbimg-test/deep"
create_dir = "/usr/share/kbimg-test/deep"
mode = "0640"
owner = "root:wheel"

[[copy_files]]
src = "hello.txt"
dst = "/home/foo/hello.txt"
owner = "foo:foo"
mode = "0600"

[[copy_files]]
src = "own.service"
dst = "/etc/systemd/system"

[grub]
passwd = "grub-secret"

[systemd_service]
name = ["own"]

[chroot_script]
path = "mark.sh"
rm = true

[persist_mkdir]
name = ["data", "deep/er"]
"""


def write_custom(folder: Path) -> Path:
    """Write the configuration that uses every option, with the files that it names."""
    (folder / "hello.txt").write_text("hello from a copied file\n")
    (folder / "mark.sh").write_text(
        "#!/bin/bash\nset -e\nid -u > /etc/chroot-mark\necho factory > /var/lib/from-script\n"
    )
    (folder / "own.service").write_text(
        "[Unit]\nDescription=A service of the user's\n[Service]\nType=oneshot\n"
        "RemainAfterExit=yes\nExecStart=/usr/bin/touch /run/own-ran\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    return write_config(folder, (*PACKAGES, "chrony"), CUSTOM)


def made(output: str) -> list:
    """The stages that a build has made, from its output."""
    return [line.split()[1] for line in output.splitlines() if line.startswith("made ")]


def cached(output: str) -> list:
    """The stages and tasks that were up to date, from a build's output."""
    return [
        name
        for line in output.splitlines()
        if line.startswith("cached ")
        for name in line[len("cached  ") :].split(", ")
    ]


def digest(path: Path) -> str:
    """A digest of a sparse file's content, independent of its holes."""
    found = hashlib.sha256(b"%d" % path.stat().st_size)
    with open(path, "rb") as stream:
        for number in sorted(
            {
                number
                for begin, end in extents(stream.fileno())
                for number in range(begin // MIB, -(-end // MIB))
            }
        ):
            stream.seek(number * MIB)
            if (block := stream.read(MIB)).strip(b"\0"):
                found.update(b"%d" % number + block)
    return found.hexdigest()
