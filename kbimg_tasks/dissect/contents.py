"""Reads the contents of an image in one pass over its tar, to compare it with another image.

An image is the tar of a root tree (kubeos.tar), a container image that contains one
(upgrade_img.tar) or has layers (admin_container.tar), or an output directory with one of these.
Only rpm's database and small texts of /etc are unpacked, to a folder of the caller; of every other
file, only a digest is stored.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from attrs import Factory, define

from kbimg_tasks.tools import checksum
from kbimg_tasks.tools.oci import DELETED, Unpacked, chosen, images
from kbimg_tasks.tools.user_error import UserError

ROOT_TAR = "os.tar"  # in an upgrade image
PACKAGE_LIST = "packages.txt"
# Possible paths of rpm's database; in kbimg's images it is in the factory copy of /var.
DATABASES = ("usr/share/factory/var/lib/rpm", "usr/lib/sysimage/rpm", "var/lib/rpm")
# The main file of the database for each of rpm's backends: sqlite, ndb and Berkeley DB.
DATABASE_FILES = ("rpmdb.sqlite", "Packages.db", "Packages")
CONFIGURATION = "etc/"
TEXT_BYTES = 64 << 10  # nobody reads the diff of a larger file
OPAQUE = f"{DELETED}{DELETED}.opq"
EXTENDED = ("SCHILY.xattr.", "SCHILY.acl.")
KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "pipe",
}


class Entry(NamedTuple):
    """An entry of a tree: its kind and, for a file, its size and SHA-256 checksum.

    `target` is the target of a link, or the numbers of a device; `again` is set for a further name
    of a file with several hard links.
    """

    kind: str
    mode: int
    owner: str
    bytes: int = 0
    sha256: str = ""
    target: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    again: bool = False

    @property
    def is_public(self) -> bool:
        """Whether every user can read it."""
        return bool(self.mode & stat.S_IROTH)


@define
class Contents:
    """A tree: its entries by path, without a leading slash, and the folder of the unpacked
    files."""

    path: Path
    unpacked: Path
    entries: dict[str, Entry] = Factory(dict)

    def text(self, path: str) -> str | None:
        """The content of a small file of /etc that everybody can read; None if it was not unpacked
        or is not text."""
        try:
            content = _text_at(path, self.unpacked).read_bytes()
            # The entry of a higher layer, which replaces it, may not have been unpacked.
            if b"\0" in content or hashlib.sha256(content).hexdigest() != self.entries[path].sha256:
                return None
            return content.decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    @property
    def database(self) -> Path | None:
        """The folder of rpm's database, if the tree has one."""
        folders = (self.unpacked / str(number) for number in range(len(DATABASES)))
        return next(
            (
                folder
                for folder in folders
                if any((folder / name).is_file() for name in DATABASE_FILES)
            ),
            None,
        )

    @property
    def package_list(self) -> Path | None:
        """The package list next to it, if it is in an output directory."""
        listed = self.path / PACKAGE_LIST
        return listed if listed.is_file() else None

    @property
    def bytes(self) -> int:
        """The size of all files; a file with several names counts once."""
        return sum(entry.bytes for entry in self.entries.values() if not entry.again)


def read(path: Path, unpacked: Path, archives: Sequence[str] = ()) -> Contents:
    """The contents of an image; for a directory, those of the first of `archives` that it has.
    Raises UserError, with a text that names the file."""
    contents = Contents(path, unpacked)
    try:
        _read_image(_archive(path, archives), contents)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except OSError as error:
        other = "" if error.filename in (None, str(path)) else f" ({error.filename})"
        raise UserError(f"{path}: {error.strerror or error}{other}") from error
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise UserError(
            f"{path}: expected a complete image, found one that cannot be read: {error}"
        ) from error
    return contents


def _archive(path: Path, archives: Sequence[str]) -> Path:
    """The file to read."""
    if not path.is_dir():
        return path
    found = next((path / name for name in archives if (path / name).is_file()), None)
    if found is None:
        raise UserError(f"expected {' or '.join(archives)} in this directory, found neither")
    return found


def _read_image(path: Path, contents: Contents) -> None:
    with tarfile.open(path, "r:*") as archive:
        # The tar of a root tree begins with its top folder: then there is no index to search for.
        first = archive.next()
        names = set() if first is None or first.name == "." else set(archive.getnames())
        if names & {"manifest.json", "index.json"}:
            for layer in chosen(list(images(archive)), None).layers:
                stream = archive.extractfile(layer)
                if stream is None:
                    raise UserError(f"its layer {layer} is not a file")
                with Unpacked(stream) as plain:
                    _read_tree(plain, contents)
            return
    with open(path, "rb") as whole:
        _read_tree(whole, contents)
    if not any(name in contents.entries for name in ("usr", "etc")):
        raise UserError(
            "expected a root tree or a container image, found neither /usr and /etc nor "
            "an index of layers"
        )


def _read_tree(stream: IO[bytes], contents: Contents) -> None:
    with tarfile.open(fileobj=stream, mode="r|*") as tree:
        for member in tree:
            path = _path(member.name)
            folder, _, name = path.rpartition("/")
            content = tree.extractfile(member) if member.isreg() else None
            if name == OPAQUE:
                _remove(contents, folder)
            elif name.startswith(DELETED):
                gone = f"{folder}/{name[len(DELETED) :]}".lstrip("/")
                _remove(contents, gone)
                contents.entries.pop(gone, None)
            elif path == ROOT_TAR and content is not None:
                _read_tree(content, contents)
            else:
                contents.entries[path] = _entry(member, path, content, contents)


def _path(name: str) -> str:
    """The name of a member without a leading `./` or `/`; empty for the top folder."""
    path = str(PurePosixPath("/", name).relative_to("/"))
    return "" if path == "." else path


def _remove(contents: Contents, folder: str) -> None:
    """Apply an opaque whiteout: remove the entries of lower layers in a folder."""
    below = f"{folder}/" if folder else ""
    for path in [path for path in contents.entries if path.startswith(below)]:
        del contents.entries[path]


def _entry(
    member: tarfile.TarInfo, path: str, content: IO[bytes] | None, contents: Contents
) -> Entry:
    attributes = tuple(
        sorted(
            (key, value) for key, value in member.pax_headers.items() if key.startswith(EXTENDED)
        )
    )
    owner = f"{member.uid}:{member.gid}"
    if member.islnk():
        first = contents.entries[_path(member.linkname)]
        return first._replace(again=True)
    if content is not None:
        made = Entry("file", member.mode, owner, member.size, attributes=attributes)
        return made._replace(sha256=_sum(content, _kept_at(path, made, contents.unpacked)))
    target = member.linkname
    if member.isdev() and not member.isfifo():
        target = f"{member.devmajor}:{member.devminor}"
    return Entry(
        KINDS.get(member.type, "unknown"), member.mode, owner, target=target, attributes=attributes
    )


def _sum(content: IO[bytes], kept_at: Path) -> str:
    """The SHA-256 checksum of a file, which is read to its end and copied to `kept_at`."""
    digest = hashlib.sha256()
    with open(kept_at, "wb") as target:
        checksum.feed(digest, content, target)
    return digest.hexdigest()


def _kept_at(path: str, entry: Entry, unpacked: Path) -> Path:
    """The path that a file is unpacked to; /dev/null for files of which only the digest is
    needed."""
    folder, _, name = path.rpartition("/")
    if folder in DATABASES:
        place = unpacked / str(DATABASES.index(folder))
        place.mkdir(exist_ok=True)
        return place / name
    if path.startswith(CONFIGURATION) and entry.is_public and entry.bytes <= TEXT_BYTES:
        return _text_at(path, unpacked)
    return Path(os.devnull)


def _text_at(path: str, unpacked: Path) -> Path:
    return unpacked / hashlib.sha256(os.fsencode(path)).hexdigest()


def results(folder: Path) -> list[Path]:
    """The results in an output directory, by name."""
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    )
