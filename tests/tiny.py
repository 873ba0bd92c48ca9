"""A repository of made-up packages, from which a whole image is built in seconds.

The kernel is a few bytes, and dracut, GRUB and systemctl are scripts that write what they were
asked for; the shell, coreutils and useradd are the host's. Such an image does not start. It is for
tests of what kbimg does around its programs: the graph, the store, locks, kills, full disks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from attrs import field, frozen
from building import write_config
from rpms import BUILD_TIME

from kbimg_tasks.stages import pxe

PACKAGES = ("kernel", "passwd", "tar")
SIZES = "[disk_partition]\nroot = 256\nimg_size = 3\n"
FOLDERS = (
    *("boot/efi", "dev", "home", "opt", "proc", "root", "run", "sys", "tmp"),
    *("etc/systemd/system", "usr/lib/systemd/system", "usr/lib/tmpfiles.d"),
    *("usr/bin", "usr/lib64", "usr/sbin", "usr/share", "var/lib/rpm", "var/log", "var/tmp"),
)
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
FROM_HOST = (
    *("cat", "chmod", "chown", "cp", "env", "head", "id", "install", "ln", "ls", "mkdir", "mknod"),
    *("mv", "readlink", "rm", "sh", "touch", "true", "uname", "useradd"),
)
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/shadow": "root:*:1:0:99999:7:::\n",
    "etc/group": "root:x:0:\nusers:x:100:\nwheel:x:10:\nsystemd-journal:x:190:\n",
}
VERSION = "6.1.0"
# What brings a program that installing over the network needs, and nothing else.
INSTALLER = ("curl", "dhcp", "dosfstools", "iproute")
# Of these the name alone matters.
FILLING = (
    *("NetworkManager", "bash", "coreutils", "dracut", "gawk", "openssh-clients", "openssh-server"),
    *("parted", "passwd", "socat", "systemd", "tar", "util-linux", "vi"),
    *("grub2", "grub2-efi", "grub2-efi-x64-modules", "grub2-pc-modules", "grub2-tools"),
)
# Each writes its arguments to the file that it is to make: another call makes another file.
DRACUT = """#!/bin/sh
all="$*"
while [ $# -gt 2 ]; do shift; done
echo "$all" > "$1"
"""
MKIMAGE = """#!/bin/sh
for word; do
    case $word in --output=*) output=${word#--output=} ;; esac
done
echo "$*" > "$output"
"""
EDITENV = """#!/bin/sh
if [ "$2" = create ]; then echo "# GRUB Environment Block" > "$1"; else echo "$3" >> "$1"; fi
"""
SYSTEMCTL = """#!/bin/sh
shift
[ "$1" != -- ] || shift
wants=/etc/systemd/system/multi-user.target.wants
mkdir -p $wants
for unit; do
    ln -sf "../$unit" "$wants/$unit"
done
"""
# A boot sector that loads what follows from sector 1, as GRUB's boot.img does.
BOOT_SECTOR = bytes(0x5C) + (1).to_bytes(8, "little") + bytes(510 - 0x64) + b"\x55\xaa"


@frozen
class Package:
    """A package of version 1.0: its files with their content, and those that can be run."""

    name: str
    files: dict[str, str | bytes] = field(factory=dict)
    programs: dict[str, str | bytes] = field(factory=dict)


def _from_host() -> dict[str, str | bytes]:
    """The host's programs with the libraries that they need, by their places in the tree."""
    found: dict[str, str | bytes] = {}
    libraries: set[str] = set()
    for name in FROM_HOST:
        path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert path, f"this host has no {name}"
        found[f"usr/bin/{name}"] = Path(path).read_bytes()
        shown = subprocess.run(["ldd", path], check=True, text=True, capture_output=True).stdout
        libraries |= set(re.findall(r"(/\S+) \(0x", shown))
    for library in libraries:
        place = library if library.startswith("/usr") else f"/usr{library}"
        found[place.lstrip("/")] = Path(library).read_bytes()
    return found


def packages() -> tuple[Package, ...]:
    """All packages of the repository. The programs that work on a tree are in `filesystem`, which
    all others require."""
    installer: dict[str, dict[str, str | bytes]] = {name: {} for name in INSTALLER}
    programs: dict[str, str | bytes] = {}
    for program, name in {**pxe.PROGRAMS, **pxe.DHCP_PROGRAMS}.items():
        if program != "dracut":
            installer.get(name, programs)[f"usr/bin/{program}"] = ""
    programs |= {
        **_from_host(),
        "usr/bin/systemctl": SYSTEMCTL,
        "usr/bin/grub2-mkimage": MKIMAGE,
        "usr/bin/grub2-editenv": EDITENV,
    }
    formats = ("i386-pc", "x86_64-efi")
    grub: dict[str, str | bytes] = {f"usr/lib/grub/{name}/normal.mod": name for name in formats}
    grub["usr/lib/grub/i386-pc/boot.img"] = BOOT_SECTOR
    kernel: dict[str, str | bytes] = {
        f"boot/vmlinuz-{VERSION}": "a kernel\n",
        f"usr/lib/modules/{VERSION}/modules.dep": "",
        "usr/lib/dracut/modules.d/99base/module-setup.sh": "",
    }
    return (
        Package("filesystem", {**ACCOUNTS, **grub}, programs),
        Package("kernel", kernel, {"usr/bin/gzip": "", "usr/bin/dracut": DRACUT}),
        *(Package(name, programs=brought) for name, brought in installer.items()),
        *(Package(name, {f"usr/share/{name}": name}) for name in FILLING),
    )


def _write(place: Path, content: str | bytes, mode: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    place.chmod(mode)


def _files(package: Package) -> Iterable[str]:
    yield from (f"/{path}" for path in (*package.files, *package.programs))
    if package.name == "filesystem":
        yield from (f"%dir /{path}" for path in FOLDERS)
        yield from (f"/{path}" for path in LINKS)


def repo_file(folder: Path) -> Path:
    """Write the repository file for the repository in a folder."""
    return folder / "tiny.repo"


def make(folder: Path) -> None:
    """Make the repository in a folder."""
    top, served = folder / "tree", folder / "rpms"
    described = packages()
    for path in FOLDERS:
        (top / path).mkdir(parents=True, exist_ok=True)
    for path, target in LINKS.items():
        (top / path).symlink_to(target)
    for package in described:
        for path, content in package.files.items():
            _write(top / path, content, 0o600 if path == "etc/shadow" else 0o644)
        for path, content in package.programs.items():
            _write(top / path, content, 0o755)
    for place, folders, names in os.walk(top):
        for name in (*folders, *names):
            times = (BUILD_TIME, BUILD_TIME)  # a file is not younger than its package
            os.utime(Path(place) / name, times, follow_symlinks=False)
    spec = folder / "tiny.spec"
    heads = "".join(
        f"%package -n {package.name}\nSummary: tiny {package.name}\nAutoReqProv: no\n"
        f"{'' if package.name == 'filesystem' else 'Requires: filesystem'}\n"
        f"%description -n {package.name}\nNothing to speak of.\n"
        for package in described
    )
    files = "".join(
        f"%files -n {package.name}\n" + "".join(f"{line}\n" for line in _files(package))
        for package in described
    )
    spec.write_text(
        "Name: tiny\nVersion: 1.0\nRelease: 1\nSummary: none\nLicense: MIT\nAutoReqProv: no\n"
        f"%description\nNone.\n{heads}%install\ncp -a {top}/. %{{buildroot}}\n{files}"
    )
    defines = {
        "_topdir": folder / "top",
        "_rpmdir": served,
        "_buildhost": "localhost",
        "_binary_payload": "w0.gzdio",
        "use_source_date_epoch_as_buildtime": 1,
        "debug_package": "%{nil}",
        "__os_install_post": "%{nil}",
        "_build_id_links": "none",
        "_missing_build_ids_terminate_build": 0,
    }
    words = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(BUILD_TIME), "HOME": str(folder)}
    done = subprocess.run(
        ["rpmbuild", "-bb", "--quiet", *words, spec],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    assert done.returncode == 0, done.stdout
    subprocess.run(["createrepo_c", "--quiet", served], check=True)
    repo_file(folder).write_text(f"[tiny]\nname=tiny\nbaseurl=file://{served}\ngpgcheck=0\n")


def configure(folder: Path, repo: Path, more: str = "", packages: tuple = PACKAGES) -> Path:
    """A configuration of the smallest possible image."""
    return write_config(folder, packages, SIZES + more, repo=repo)
