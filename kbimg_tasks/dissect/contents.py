"""What is in an image, read in one pass over its tar: for comparing it with another one.

An image is a root tree's tar (kubeos.tar), a container image with one in it (upgrade_img.tar) or
with layers of its own (admin_container.tar), or an output directory with one of these. Nothing is
unpacked but rpm's database and small texts of /etc, both into a room of the caller's; of every
other file a digest is kept.
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
from kbimg_tasks.tools.oci import DELETED, Unpacked, Unusable, chosen, images

ROOT_TAR = "os.tar"  # in an upgrade image
PACKAGE_LIST = "packages.txt"
# Where rpm's database may lie; kbimg's images have it where systemd-tmpfiles fills /var from.
DATABASES = ("usr/share/factory/var/lib/rpm", "usr/lib/sysimage/rpm", "var/lib/rpm")
# Its main file, by rpm's backends: sqlite, ndb and Berkeley DB.
DATABASE_FILES = ("rpmdb.sqlite", "Packages.db", "Packages")
CONFIGURATION = "etc/"
TEXT_BYTES = 64 << 10  # more is no text that people would read the difference of
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
    """A name in a tree: what it is, and for a file how many bytes with which SHA-256 sum.

    `target` is where a link leads, or a device's numbers; `again` says that the bytes are those of
    another name, too.
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
        """Whether everybody on the machine may read it."""
        return bool(self.mode & stat.S_IROTH)


@define
class Contents:
    """A tree by its paths, without a slash in front; what was put into the `room`."""

    path: Path
    room: Path
    entries: dict[str, Entry] = Factory(dict)

    def text(self, path: str) -> str | None:
        """The content of a small file of /etc that everybody may read; None when it was not kept,
        or is no text."""
        try:
            content = _text_at(path, self.room).read_bytes()
            # What a layer has put over it may not have been kept.
            if b"\0" in content or hashlib.sha256(content).hexdigest() != self.entries[path].sha256:
                return None
            return content.decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    @property
    def database(self) -> Path | None:
        """rpm's database, if the tree has one."""
        folders = (self.room / str(number) for number in range(len(DATABASES)))
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
        """The list of packages beside it, if it is an output directory."""
        listed = self.path / PACKAGE_LIST
        return listed if listed.is_file() else None

    @property
    def bytes(self) -> int:
        """All files together; what has several names counts once."""
        return sum(entry.bytes for entry in self.entries.values() if not entry.again)


def read(path: Path, room: Path, archives: Sequence[str] = ()) -> Contents:
    """The contents of an image; of a directory, those of the first of these archives in it. Raises
    Unusable, with a text that names it."""
    contents = Contents(path, room)
    try:
        _read_image(_archive(path, archives), contents)
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from error
    except OSError as error:
        other = "" if error.filename in (None, str(path)) else f" ({error.filename})"
        raise Unusable(f"{path}: {error.strerror or error}{other}") from error
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise Unusable(
            f"{path}: expected an image that is whole, found one that cannot be read: {error}"
        ) from error
    return contents


def _archive(path: Path, archives: Sequence[str]) -> Path:
    """The file to read."""
    if not path.is_dir():
        return path
    found = next((path / name for name in archives if (path / name).is_file()), None)
    if found is None:
        raise Unusable(f"expected {' or '.join(archives)} in this directory, found neither")
    return found


def _read_image(path: Path, contents: Contents) -> None:
    with tarfile.open(path, "r:*") as archive:
        # A root tree begins with its top; no index need be looked for in all the rest of it.
        first = archive.next()
        names = set() if first is None or first.name == "." else set(archive.getnames())
        if names & {"manifest.json", "index.json"}:
            for layer in chosen(list(images(archive)), None).layers:
                stream = archive.extractfile(layer)
                if stream is None:
                    raise Unusable(f"its layer {layer} is no file")
                with Unpacked(stream) as plain:
                    _read_tree(plain, contents)
            return
    with open(path, "rb") as whole:
        _read_tree(whole, contents)
    if not any(name in contents.entries for name in ("usr", "etc")):
        raise Unusable(
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
    """A member's name without what tars may have in front of it; the top itself is empty."""
    path = str(PurePosixPath("/", name).relative_to("/"))
    return "" if path == "." else path


def _remove(contents: Contents, folder: str) -> None:
    """A layer takes away what those below it have in a folder."""
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
        return made._replace(sha256=_sum(content, _kept_at(path, made, contents.room)))
    target = member.linkname
    if member.isdev() and not member.isfifo():
        target = f"{member.devmajor}:{member.devminor}"
    return Entry(
        KINDS.get(member.type, "unknown"), member.mode, owner, target=target, attributes=attributes
    )


def _sum(content: IO[bytes], kept_at: Path) -> str:
    """The SHA-256 checksum of a file that is read to its end and written down."""
    digest = hashlib.sha256()
    with open(kept_at, "wb") as target:
        checksum.feed(digest, content, target)
    return digest.hexdigest()


def _kept_at(path: str, entry: Entry, room: Path) -> Path:
    """Where what has to be looked into is written down; all else goes nowhere."""
    folder, _, name = path.rpartition("/")
    if folder in DATABASES:
        place = room / str(DATABASES.index(folder))
        place.mkdir(exist_ok=True)
        return place / name
    if path.startswith(CONFIGURATION) and entry.is_public and entry.bytes <= TEXT_BYTES:
        return _text_at(path, room)
    return Path(os.devnull)


def _text_at(path: str, room: Path) -> Path:
    return room / hashlib.sha256(os.fsencode(path)).hexdigest()


def results(folder: Path) -> list[Path]:
    """The files of an output directory that are for the user, by name."""
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    )
