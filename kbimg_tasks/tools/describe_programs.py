"""Print as JSON which programs of this host build an image: their packages, versions and checksums.

Usage: describe_programs PROGRAM...

A missing program is left out. Versions are those of the host's package manager (dpkg or rpm), which
include the distribution's patches, unlike a program's own `--version`. A program without a package
has only its SHA-256 checksum. The host, Python and the Python packages that kbimg requires are
listed too.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from kbimg_tasks.tools import checksum

DPKG = Path("/var/lib/dpkg/status")
US = "kbimg"

Owner = tuple[str, str]
"""A package's name and version."""


def owners(paths: Iterable[str]) -> dict[str, Owner]:
    """The packages that own these files of the host; a file without a package is left out."""
    return _of_dpkg(list(paths)) if DPKG.exists() else _of_rpm(paths)


def _of_dpkg(paths: list[str]) -> dict[str, Owner]:
    # If /bin is a link into /usr, dpkg can still list a file by its old path.
    aliases = {alias: path for path in paths for alias in (path, path.removeprefix("/usr"))}
    found = {}
    for line in _lines("dpkg-query", "--search", *aliases):
        names, _, alias = line.rpartition(": ")
        if alias in aliases and not names.startswith("diversion "):
            found[aliases[alias]] = names.split(",")[0]
    versions = dict(
        line.split("\t")
        for line in _lines(
            "dpkg-query",
            "--show",
            "--showformat=${binary:Package}\t${Version}\n",
            *sorted(set(found.values())),
        )
    )
    return {
        path: (name.partition(":")[0], versions[name])
        for path, name in found.items()
        if name in versions
    }


def _of_rpm(paths: Iterable[str]) -> dict[str, Owner]:
    found = {}
    for path in paths:
        for line in _lines("rpm", "--query", "--file", path, "--queryformat", "%{NAME}\t%{EVR}\n"):
            if line.count("\t") == 1:  # else it says that no package has it
                name, version = line.split("\t")
                found[path] = (name, version)
    return found


def _lines(*argv: str) -> list[str]:
    """The output of a program, which also reports files without a package and continues."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()


def programs(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The installed programs by their names."""
    paths = {name: os.path.realpath(found) for name in names if (found := shutil.which(name))}
    owned = owners(paths.values())
    told = {}
    for name, path in sorted(paths.items()):
        told[name] = {"path": path, "sha256": checksum.of_file(path)}
        if path in owned:
            told[name].update(zip(("package", "version"), owned[path]))
    return told


def _modules() -> Iterator[tuple[str, str]]:
    """kbimg and the Python packages that it requires, without those of its tests."""
    try:
        yield US, metadata.version(US)
        for requirement in metadata.requires(US) or ():
            name = re.split(r"[^\w.-]", requirement)[0]
            if "extra ==" not in requirement:
                yield name, metadata.version(name)
    except metadata.PackageNotFoundError:
        pass  # run from a checkout that was not installed


def _system() -> str:
    """The name of the distribution: os-release(5)."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values.get("PRETTY_NAME", "").strip("\"'")


def main(names: list[str]) -> int:
    """Print one object."""
    told: dict[str, Any] = {
        "host": {
            "system": _system(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
        },
        "python": {"version": platform.python_version(), "packages": dict(sorted(_modules()))},
        "programs": programs(names),
    }
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
