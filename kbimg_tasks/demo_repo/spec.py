"""Writes the spec file of one RPM."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from attrs import frozen

from kbimg_tasks.demo_repo.definitions import Attributes
from kbimg_tasks.demo_repo.versions import Version

# The characters that %files reads literally. It reads names as patterns, in which `?` is any
# character, and expands macros; no quoting covers all of it (rpm 4.18, build/files.c).
LITERAL = re.compile(r"[^\w/.,:;@=+~#&^-]")
LICENSE = re.compile(r"^/usr/share/doc/[^/]+/copyright$")


@frozen
class PackagedFile:
    """A file, directory or link of an RPM."""

    path: str
    kind: str  # "file", "directory" or "link"
    attributes: Attributes
    config: bool = False
    ghost: bool = False


@frozen
class Rpm:
    """The header of an RPM."""

    name: str
    version: Version
    architecture: str
    summary: str
    description: str
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    requires_first: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The file name that rpmbuild gives the RPM."""
        version = f"{self.version.version}-{self.version.release}"
        return f"{self.name}-{version}.{self.architecture}.rpm"


def pattern(path: str) -> str:
    """A file name for %files, with `?` for every character that is not safe there."""
    return LITERAL.sub("?", path)


def plain(text: str) -> str:
    """Text for rpmbuild with macros escaped."""
    return text.replace("%", "%%")


def file_line(entry: PackagedFile) -> str:
    """A line of %files."""
    owner = entry.attributes
    mode = "-" if entry.kind == "link" else f"{owner.mode:04o}"
    words = [f"%attr({mode},{owner.user},{owner.group})"]
    if owner.capabilities:
        words.insert(0, f"%caps({owner.capabilities})")
    if entry.kind == "directory":
        words.insert(0, "%dir")
    if entry.ghost:
        words.insert(0, "%ghost")
    if entry.config and entry.kind == "file":
        words.insert(0, "%config(noreplace)")
    if LICENSE.match(entry.path):
        words.insert(0, "%license")
    return " ".join([*words, f'"{pattern(entry.path)}"'])


def _description(text: str) -> list[str]:
    # A line that starts with the name of a section would start that section.
    return [
        plain(line) if not line.startswith("%") else " " + plain(line) for line in text.splitlines()
    ]


def render(rpm: Rpm, entries: Iterable[PackagedFile], scriptlets: Mapping[str, str]) -> str:
    """The spec file of an RPM whose files are already in the build root."""
    lines = [
        f"Name: {rpm.name}",
        f"Version: {rpm.version.version}",
        f"Release: {rpm.version.release}",
        *([f"Epoch: {rpm.version.epoch}"] if rpm.version.epoch else []),
        *(["BuildArch: noarch"] if rpm.architecture == "noarch" else []),
        f"Summary: {plain(rpm.summary)}",
        f"License: see /usr/share/doc or /usr/share/licenses of {rpm.name}",
        # The dependencies come from the Debian packages.
        "AutoReqProv: no",
        *(
            f"Provides: {name}" if name.startswith("/") else f"Provides: {name} = {rpm.version}"
            for name in rpm.provides
        ),
        *(f"Requires: {name}" for name in rpm.requires),
        *(
            f"Requires({kind}): {name}"
            for name in rpm.requires_first
            for kind in sorted({"pre", *scriptlets})
        ),
        "",
        "%description",
        *_description(rpm.description),
    ]
    for kind, text in sorted(scriptlets.items()):
        lines += ["", f"%{kind}", plain(text).rstrip("\n")]
    lines += ["", "%files", *map(file_line, sorted(entries, key=lambda entry: entry.path))]
    return "\n".join(lines) + "\n"
