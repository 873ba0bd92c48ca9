"""The definitions in `data/` of the repository and its packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomli
from attrs import Factory, field, fields, frozen

from kbimg_tasks.tools.user_error import UserError

DATA = Path(__file__).parent / "data"
SCRIPTLETS = ("pre", "post", "posttrans")
STANDIN = "Stand-in: "


@frozen
class Attributes:
    """Mode, owner and capabilities of a file or directory."""

    mode: int
    user: str = "root"
    group: str = "root"
    capabilities: str = ""

    @classmethod
    def parse(cls, text: str) -> Attributes:
        """`MODE USER GROUP [CAPABILITIES]`, the mode octal."""
        mode, user, group, *rest = text.split()
        return cls(int(mode, 8), user, group, *rest)


@frozen
class Definition:
    """One RPM: its Debian packages, and what is changed and added.

    `made_from` holds patterns of Debian names; what matches first gives version and description.
    `moves` rewrite the beginnings of paths; `links`, `copies`, `directories` and `ghosts` are
    added; `attributes` replace those of single paths; `drop` are patterns of paths. `folder` may
    hold scriptlets (`pre`, `post`, `posttrans`) and, below `files/`, files to add.
    """

    name: str
    folder: Path | None = None
    made_from: tuple[str, ...] = ()
    version: str = ""
    summary: str = ""
    description: str = ""
    standin: bool = False
    architectures: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    requires_first: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    moves: Mapping[str, str] = Factory(dict)
    links: Mapping[str, str] = Factory(dict)
    copies: Mapping[str, str] = Factory(dict)
    directories: Mapping[str, str] = Factory(dict)
    ghosts: Mapping[str, str] = Factory(dict)
    attributes: Mapping[str, str] = Factory(dict)

    def added_files(self) -> dict[str, Path]:
        """Own files by their absolute paths in the tree, sorted."""
        if self.folder is None or not (self.folder / "files").is_dir():
            return {}
        top = self.folder / "files"
        return {
            f"/{path.relative_to(top).as_posix()}": path
            for path in sorted(top.rglob("*"))
            if path.is_file()
        }

    def scriptlets(self) -> dict[str, str]:
        """The texts of the scriptlets by their kinds."""
        if self.folder is None:
            return {}
        return {
            kind: (self.folder / kind).read_text(encoding="utf-8")
            for kind in SCRIPTLETS
            if (self.folder / kind).is_file()
        }


@frozen
class RepositoryDefinition:
    """The whole repository, as `repository.toml` and the folders of `packages/` describe it."""

    wanted: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    drop: tuple[str, ...]
    renames: Mapping[str, str]
    packages: tuple[Definition, ...] = field(factory=tuple)

    def debian_names(self, architecture: str) -> tuple[tuple[str, ...], ...]:
        """Groups of Debian packages to download with their dependencies; packages of one group do
        not conflict."""
        together = (*self.wanted["everywhere"], *self.wanted[architecture])
        return (together, *((name,) for name in self.wanted["apart"]))

    def rpm_names(self, architecture: str) -> tuple[str, ...]:
        """The packages to download from a distribution with RPMs."""
        return (*self.wanted["rpms"], *self.wanted[f"rpms_{architecture}"])

    def is_left_out(self, debian_name: str) -> bool:
        """Whether a Debian package is left out."""
        return any(fnmatchcase(debian_name, pattern) for pattern in self.left_out)

    def for_architecture(self, architecture: str) -> tuple[Definition, ...]:
        """The packages that exist for Debian's architecture name."""
        return tuple(
            package
            for package in self.packages
            if not package.architectures or architecture in package.architectures
        )

    def group(
        self, debian_names: Sequence[str], architecture: str
    ) -> list[tuple[Definition, tuple[str, ...]]]:
        """Each RPM to make, with its Debian packages.

        Raises UserError if two definitions claim a Debian package.
        """
        owner: dict[str, Definition] = {}
        grouped: list[tuple[Definition, tuple[str, ...]]] = []
        for package in self.for_architecture(architecture):
            sources = tuple(
                dict.fromkeys(
                    name
                    for pattern in package.made_from
                    for name in sorted(debian_names)
                    if fnmatchcase(name, pattern)
                )
            )
            for name in sources:
                if name in owner:
                    raise UserError(f"{name} belongs to {owner[name].name} and {package.name}")
                owner[name] = package
            if sources or not package.made_from:
                grouped.append((package, sources))
        for name in sorted(debian_names):
            if name not in owner and not self.is_left_out(name):
                grouped.append((Definition(self.renames.get(name, name)), (name,)))
        return grouped


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def read_definition(folder: Path) -> Definition:
    """The package that a folder of `packages/` describes; the folder's name is the package's."""
    path = folder / "package.toml"
    values = tomli.loads(path.read_text(encoding="utf-8"))
    unknown = sorted(set(values) - {each.name for each in fields(Definition)})
    if unknown:
        raise UserError(f"{path}: unknown {', '.join(unknown)}")
    return Definition(folder.name, folder, **{key: _frozen(value) for key, value in values.items()})


def read_repository(data: Path = DATA) -> RepositoryDefinition:
    """Read all of `data/`."""
    values = tomli.loads((data / "repository.toml").read_text(encoding="utf-8"))
    packages = tuple(
        read_definition(path.parent) for path in sorted((data / "packages").glob("*/package.toml"))
    )
    wanted = {name: _frozen(names) for name, names in values["wanted"].items()}
    return RepositoryDefinition(
        wanted, _frozen(values["left_out"]), _frozen(values["drop"]), values["renames"], packages
    )
