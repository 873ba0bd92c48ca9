"""The differences between two images whose contents have been read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from kbimg_tasks.dissect import bytes
from kbimg_tasks.dissect.contents import CONFIGURATION, Contents, Entry, results
from kbimg_tasks.dissect.packages import Packages

GROWTHS = 10
# Results that describe the host of the build, which is not part of the image.
OF_HOSTS = ("build-tools.json",)
LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines also splits at other characters
# Files that everybody can read in some trees although they contain secrets.
SECRET_NAMES = re.compile(r"g?shadow-?|opasswd|user\.cfg|ssh_host_.*_key|.*\.(key|p12|pfx)")
SECRET_WORDS = re.compile(
    r"PRIVATE KEY|\$(1|2[aby]|5|6|7|y|gy)\$|grub\.pbkdf2\.|://[^/\s:@]+:[^/\s@]+@|"
    r"(?i:(pass(word|phrase)|text_passwd|secret|token|credential|auth|psk|[a-z][_-]?key(-data)?)s?"
    r"[\"']?\s*[:=])"
)


@frozen
class PackageChange:
    """The versions of a package in the old and the new image, each with its installed bytes."""

    name: str
    old: dict[str, int]
    new: dict[str, int]

    @property
    def grown_bytes(self) -> int:
        """The increase in installed bytes from the old to the new image."""
        return sum(self.new.values()) - sum(self.old.values())


@frozen
class FileChange:
    """A path of the tree, its old and new entry, and the properties that differ."""

    path: str
    old: Entry | None
    new: Entry | None
    what: tuple[str, ...] = ()

    @property
    def grown_bytes(self) -> int:
        """The increase in bytes from the old to the new image."""
        return (self.new.bytes if self.new else 0) - (self.old.bytes if self.old else 0)


@frozen
class TextChange:
    """A configuration file whose content changed: the lines of its unified diff, or the reason why
    they are not shown."""

    path: str
    lines: tuple[str, ...] = ()
    untold: str = ""


@frozen
class ResultChange:
    """A file of an output directory: its size in the old and the new one, if it exists there."""

    name: str
    old: int | None
    new: int | None


@frozen
class Changes:
    """All differences. `packages` is None if an image has no list of its packages."""

    packages: tuple[PackageChange, ...] | None
    files: tuple[FileChange, ...]
    texts: tuple[TextChange, ...]
    results: tuple[ResultChange, ...]

    @property
    def are_none(self) -> bool:
        """Whether the images are equal."""
        return not (self.packages or self.files or self.results)

    @property
    def growths(self) -> tuple[FileChange, ...]:
        """The files that grew most, the largest increase first."""
        grown = (change for change in self.files if change.grown_bytes > 0)
        return tuple(sorted(grown, key=lambda one: (-one.grown_bytes, one.path))[:GROWTHS])


def of_packages(old: Packages, new: Packages) -> tuple[PackageChange, ...]:
    """Packages that are in one image only, or in both with different versions."""
    return tuple(
        PackageChange(name, old.get(name, {}), new.get(name, {}))
        for name in sorted({*old, *new})
        if set(old.get(name, ())) != set(new.get(name, ()))
    )


def of_files(old: Contents, new: Contents) -> tuple[FileChange, ...]:
    """Files, directories and links that differ, by path. Times are not compared."""
    found = []
    for path in sorted({*old.entries, *new.entries}):
        before, after = old.entries.get(path), new.entries.get(path)
        if before is None or after is None:
            found.append(FileChange(path, before, after))
        elif what := _differing(before, after):
            found.append(FileChange(path, before, after, what))
    return tuple(found)


def _differing(old: Entry, new: Entry) -> tuple[str, ...]:
    if old.kind != new.kind:
        return ("kind",)
    pairs = {
        "content": (old.sha256, new.sha256),
        "target": (old.target, new.target),
        "mode": (old.mode, new.mode),
        "owner": (old.owner, new.owner),
        "attributes": (old.attributes, new.attributes),
    }
    return tuple(name for name, (before, after) in pairs.items() if before != after)


def of_texts(old: Contents, new: Contents, files: tuple[FileChange, ...]) -> tuple[TextChange, ...]:
    """The configuration files whose content changed."""
    return tuple(
        _text_change(old, new, change)
        for change in files
        if change.path.startswith(CONFIGURATION) and "content" in change.what
    )


def _text_change(old: Contents, new: Contents, change: FileChange) -> TextChange:
    path = change.path
    if SECRET_NAMES.fullmatch(path.rpartition("/")[2]) or not all(
        entry is None or entry.is_public for entry in (change.old, change.new)
    ):
        return TextChange(path, untold="may contain a secret")
    texts = old.text(path), new.text(path)
    if texts[0] is None or texts[1] is None:
        return TextChange(path, untold="binary or too large")
    if any(SECRET_WORDS.search(text) for text in texts if text):
        return TextChange(path, untold="may contain a secret")
    return TextChange(path, tuple(_unified(path, texts[0], texts[1])))


def _unified(path: str, old: str, new: str) -> Iterator[str]:
    """The lines of `diff -u`, without their line feeds."""
    for line in difflib.unified_diff(
        LINE.findall(old), LINE.findall(new), f"old/{path}", f"new/{path}"
    ):
        yield line.rstrip("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def of_results(old: Path, new: Path) -> tuple[ResultChange, ...]:
    """The files of two output directories that differ by a byte. Raises OSError."""
    before, after = ({path.name: path for path in results(folder)} for folder in (old, new))
    found: list[ResultChange] = []
    for name in sorted({*before, *after} - {*OF_HOSTS}):
        pair = before.get(name), after.get(name)
        if pair[0] and pair[1] and next(bytes.differences(pair[0], pair[1]), None) is None:
            continue
        sizes = [path.stat().st_size if path else None for path in pair]
        found.append(ResultChange(name, sizes[0], sizes[1]))
    return tuple(found)
