"""A package repository of a repository file (dnf.conf(5))."""

from __future__ import annotations

import re

from attrs import frozen

from kbimg_tasks.config.secret import Hidden
from kbimg_tasks.machine.architecture import Architecture

VARIABLES = re.compile(r"\$(?:basearch|arch)\b|\$\{(?:basearch|arch)\}")


@frozen
class Repository:
    """One repository. Its addresses may hold dnf's variables, such as `$basearch`, and
    credentials."""

    id: str
    baseurl: tuple[str, ...]
    mirrorlist: str | None
    metalink: str | None
    enabled: bool
    username: str = ""
    password: Hidden | None = None

    def addresses(self, architecture: Architecture) -> tuple[str, ...]:
        """Its addresses, with dnf's variables for the architecture in place (dnf.conf(5))."""
        return tuple(VARIABLES.sub(architecture.name, url) for url in self.baseurl)
