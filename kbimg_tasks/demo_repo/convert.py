"""Converts Debian packages and own files to one RPM."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from attrs import evolve, frozen

from kbimg_tasks.demo_repo import deb as debian
from kbimg_tasks.demo_repo import layout, programs
from kbimg_tasks.demo_repo.deb import Deb
from kbimg_tasks.demo_repo.definitions import Attributes, Definition
from kbimg_tasks.demo_repo.spec import PackagedFile, Rpm, render
from kbimg_tasks.tools.user_error import UserError

# The time of own files, and of packages without Debian packages: 2025-01-01, UTC.
EPOCH = 1735689600
KERNEL = "/boot/vmlinuz-"
# No post-processing and no links to build IDs: every build gives the same bytes.
MACROS = {
    "__os_install_post": "%{nil}",
    "debug_package": "%{nil}",
    "_build_id_links": "none",
    "_binary_payload": "w3.zstdio",
    "_buildhost": "kbimg",
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    "_unpackaged_files_terminate_build": "1",
    "_missing_doc_files_terminate_build": "1",
}


@frozen
class Conversion:
    """One RPM to make: its header, its Debian packages, and the changes."""

    rpm: Rpm
    definition: Definition
    debs: tuple[Deb, ...]
    drop: tuple[str, ...]
    base_directories: frozenset[str]

    def key(self, tool: str) -> str:
        """A digest of everything that the RPM depends on; `tool` is that of this program."""
        digest = hashlib.sha256(tool.encode())
        definition = evolve(self.definition, folder=None)
        base = sorted(self.base_directories)
        for part in (self.rpm, definition, self.drop, base, *(deb.path.name for deb in self.debs)):
            digest.update(repr(part).encode() + b"\0")
        added = self.definition.added_files()
        for name, text in [
            *self.definition.scriptlets().items(),
            *((path, file.read_bytes().hex()) for path, file in added.items()),
        ]:
            digest.update(f"{name}\0{text}\0".encode())
        return digest.hexdigest()[:32]


class BuildRoot:
    """The build root of one RPM, below `top`."""

    def __init__(self, conversion: Conversion, top: Path) -> None:
        self.conversion = conversion
        self.definition = conversion.definition
        self.top = top
        self.entries: dict[str, PackagedFile] = {}
        self.newest = EPOCH if not conversion.debs else 0

    def add_deb(self, deb: Deb) -> None:
        """Add the files of a Debian package at their paths in the RPM."""
        for member, content in debian.members(deb.path):
            old = member.name
            path = layout.placed(old, self.definition.moves)
            if self._is_unwanted(member, path):
                continue
            owner = Attributes(member.mode & 0o7777, member.uname or "root", member.gname or "root")
            if member.issym():
                member.linkname = layout.link_target(old, path, member.linkname)
                self._note(path, "link", owner)
            elif member.isdir():
                self._note(path, "directory", owner)
            elif member.isreg():
                self._note(path, "file", owner, config=old in deb.conffiles)
            elif member.islnk():
                self._hard_link(path, debian.absolute(member.linkname), owner)
                continue
            else:
                raise UserError(f"{deb.path.name}: {old} is neither file nor directory nor link")
            self.newest = max(self.newest, int(member.mtime))
            debian.unpack(member, content, self._real(path))

    def add_own(self) -> None:
        """Add the files of the definition. A file of a Debian package must be dropped to be
        replaced."""
        for path, source in self.definition.added_files().items():
            content = source.read_bytes()
            mode = 0o755 if content.startswith(b"#!") else 0o644
            self._note(path, "file", Attributes(mode), config=path.startswith("/etc/"))
            self._write(path, content)
        for path, original in self.definition.copies.items():
            self._note(path, "file", self._known(original).attributes)
            self._real(path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._real(original), self._real(path))
        for path, target in self.definition.links.items():
            self._note(path, "link", Attributes(0o777))
            self._real(path).parent.mkdir(parents=True, exist_ok=True)
            self._real(path).symlink_to(target)
        for path, text in self.definition.directories.items():
            self.entries[path] = PackagedFile(path, "directory", Attributes.parse(text))
            self._real(path).mkdir(parents=True, exist_ok=True)
        for path, text in self.definition.ghosts.items():
            self._note(path, "file", Attributes.parse(text), ghost=True)
            self._write(path, b"")
        for path, text in self.definition.attributes.items():
            self.entries[path] = evolve(self._known(path), attributes=Attributes.parse(text))

    def scriptlets(self) -> Mapping[str, str]:
        """The package's scriptlets; `@KERNEL@` is replaced by the version of its kernel."""
        versions = [path[len(KERNEL) :] for path in self.entries if path.startswith(KERNEL)]
        return {
            kind: text.replace("@KERNEL@", "".join(versions))
            for kind, text in self.definition.scriptlets().items()
        }

    def _is_unwanted(self, member: tarfile.TarInfo, path: str) -> bool:
        if path == "/" or layout.is_dropped(path, (*self.conversion.drop, *self.definition.drop)):
            return True
        return member.isdir() and path in self.conversion.base_directories

    def _note(
        self, path: str, kind: str, owner: Attributes, config: bool = False, ghost: bool = False
    ) -> None:
        before = self.entries.get(path)
        if before and (before.kind, kind) != ("directory", "directory"):
            raise UserError(f"{self.conversion.rpm.name}: {path} comes from two places")
        self.entries[path] = PackagedFile(path, kind, owner, config, ghost)

    def _known(self, path: str) -> PackagedFile:
        if path not in self.entries:
            raise UserError(f"{self.conversion.rpm.name}: no {path} in its Debian packages")
        return self.entries[path]

    def _hard_link(self, path: str, original: str, owner: Attributes) -> None:
        original = layout.placed(original, self.definition.moves)
        self._note(path, "file", owner)
        self._real(path).parent.mkdir(parents=True, exist_ok=True)
        os.link(self._real(self._known(original).path), self._real(path))

    def _real(self, path: str) -> Path:
        if ".." in path.split("/"):
            raise UserError(f"{self.conversion.rpm.name}: {path} leads out of the package")
        return self.top / path.lstrip("/")

    def _write(self, path: str, content: bytes) -> None:
        real = self._real(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)
        os.utime(real, (EPOCH, EPOCH))


def convert(conversion: Conversion, folder: Path) -> Path:
    """Make the RPM inside `folder`, which only this conversion uses. Returns the file."""
    root = BuildRoot(conversion, folder / "root")
    root.top.mkdir(parents=True)
    for deb in conversion.debs:
        root.add_deb(deb)
    root.add_own()
    spec = folder / f"{conversion.rpm.name}.spec"
    spec.write_text(
        render(conversion.rpm, root.entries.values(), root.scriptlets()), encoding="utf-8"
    )
    macros = {
        **MACROS,
        "_topdir": str(folder),
        "_rpmdir": str(folder / "rpms"),
        "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }
    argv = [
        "rpmbuild",
        "-bb",
        "--quiet",
        "--target",
        conversion.rpm.architecture,
        "--buildroot",
        str(root.top),
    ]
    for name, value in macros.items():
        argv += ["--define", f"{name} {value}"]
    # File names can have any character, and HOME can have the user's own macros.
    env = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "SOURCE_DATE_EPOCH": str(root.newest),
    }
    try:
        programs.run([*argv, str(spec)], env=env, folder=folder)
    except UserError as failure:
        raise UserError(f"{conversion.rpm.name}: {failure}") from failure
    return folder / "rpms" / conversion.rpm.file_name


def fingerprint_of_tool() -> str:
    """A digest that changes when this program changes in a way that can change its results."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def shared_directories(definitions: list[Definition]) -> frozenset[str]:
    """The directories that only the package `filesystem` owns."""
    return frozenset(
        path for each in definitions if each.name == "filesystem" for path in each.directories
    )
