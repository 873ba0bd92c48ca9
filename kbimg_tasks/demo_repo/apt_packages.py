"""Resolves and downloads the needed Debian packages with apt, for an empty system."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from kbimg_tasks.demo_repo import programs
from kbimg_tasks.tools.user_error import UserError

SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
# A line of `apt-get --simulate install`: Inst NAME (VERSION ORIGIN [ARCHITECTURE])
CHOSEN = re.compile(r"^Inst (\S+) \((\S+) .*\[(\S+)\]\)", re.MULTILINE)
# Read after the host's own configuration, which can have the proxy of the mirror. Hooks of a
# desktop are cleared: they would report a package list that is not the system's.
CONFIGURATION = """\
APT::Architecture "@ARCHITECTURE@";
#clear APT::Architectures;
APT::Architectures { "@ARCHITECTURE@"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Acquire::Retries "1";
Dir::State "@FOLDER@/state";
Dir::State::status "@FOLDER@/status";
Dir::Cache "@FOLDER@/cache";
Dir::Cache::archives "@DEBS@";
Dir::Etc::sourcelist "@SOURCES@";
Dir::Etc::sourceparts "-";
"""


def default_sources() -> Path:
    """The host's list of Debian's archives, without those of others."""
    for name in SOURCES:
        if Path(name).is_file() and Path(name).stat().st_size:
            return Path(name)
    raise UserError(
        f"no list of Debian's archives in {' or '.join(SOURCES)}: name one by --sources"
    )


def file_name(name: str, version: str, architecture: str) -> str:
    """The file name of a downloaded package."""
    return f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"


class Apt:
    """apt with its own state in `folder`, in which no package is installed."""

    def __init__(self, folder: Path, debs: Path, sources: Path, architecture: str) -> None:
        self.debs = debs
        for path in (folder / "state/lists/partial", folder / "cache", debs / "partial"):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        text = CONFIGURATION
        for name, value in (
            ("ARCHITECTURE", architecture),
            ("FOLDER", folder),
            ("DEBS", debs),
            ("SOURCES", sources),
        ):
            text = text.replace(f"@{name}@", str(value))
        self.configuration = folder / "apt.conf"
        self.configuration.write_text(text, encoding="utf-8")

    def _get(self, *arguments: str) -> str:
        return programs.run(
            ["apt-get", "--quiet=2", f"--config-file={self.configuration}", *arguments],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )

    def update(self) -> None:
        """Fetch the package lists. Raises UserError if a mirror cannot be reached."""
        try:
            self._get("update")
        except UserError as failure:
            raise UserError(f"apt cannot reach its mirror: {failure}") from failure

    def fetch(self, groups: Sequence[Sequence[str]], say: Callable[[str], None]) -> list[Path]:
        """Download the packages of each group with their dependencies. Returns the files, sorted.

        Packages that exclude each other go into different groups.
        """
        chosen: list[tuple[str, str, str]] = []
        for names in groups:
            chosen += CHOSEN.findall(self._get("--simulate", "install", *names))
        paths = sorted({self.debs / file_name(*each) for each in chosen})
        missing = sum(not path.exists() for path in paths)
        if missing:
            say(f"downloading {missing} of {len(paths)} Debian packages")
            for names in groups:
                self._get("--download-only", "--yes", "install", *names)
        absent = [path.name for path in paths if not path.exists()]
        if absent:
            raise UserError(f"apt did not download {', '.join(absent)}")
        return paths
