"""Finds the file that differs in two disk images. The images are read as files, without mounting.

The offset of the first difference gives the partition. In ext4 it gives an inode, by the position
of the inode tables (dumpe2fs(8)) or by the owner of the block (debugfs(8)), and so a path. A FAT is
small: mtools copies its files out, and they are compared.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path

from attrs import frozen

from kbimg_tasks.dissect.bytes import differences, in_content

# Blocks of bitmaps and descriptors differ when a file does; there are fewer of them than this
# before the first inode table.
LOOKED_AT = 512
ROOT_INODE = 2
ENVIRONMENT = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}


def first_difference(one: Path, other: Path) -> str:
    """The partition and the file of the first difference of two images that differ."""
    found = differences(one, other)
    offset = next(found)
    table = json.loads(_output("sfdisk", "--json", str(one), is_checked=True))["partitiontable"]
    sector = int(table.get("sectorsize", 512))
    for part in table["partitions"]:
        start = int(part["start"]) * sector
        end = start + int(part["size"]) * sector
        if start <= offset < end:
            label = part.get("name") or part["node"]
            more = islice(found, LOOKED_AT)
            offsets = [at - start for at in takewhile(end.__gt__, (offset, *more))]
            sides = _Side(one, start), _Side(other, start)
            named = _in_ext4(*sides, offsets) or _in_fat(*sides)
            return (
                f"{label}, byte {offset - start} of the partition: "
                f"{named or 'in structures of the file system'}"
            )
    return f"at byte {offset}, outside the partitions"


@frozen
class _Side:
    """A file system at an offset in one of the two images."""

    disk: Path
    start: int

    def debugfs(self, request: str) -> str:
        return _output("debugfs", "-R", request, f"{self.disk}?offset={self.start}")

    def rows(self, request: str) -> dict[int, str]:
        """The rows of a table with two columns, the first of which is a number."""
        rows = (line.partition("\t") for line in self.debugfs(request).splitlines())
        return {int(number): text.strip() for number, _, text in rows if number.isdigit()}

    def path(self, inode: int) -> str | None:
        if inode == ROOT_INODE:
            return "/"
        path = self.rows(f"ncheck {inode}").get(inode)
        return re.sub("/+", "/", path) if path else None

    def fields(self, inode: int) -> dict[str, str]:
        """The fields of an inode by debugfs's names, without the numbers of its blocks."""
        head, _, blocks = self.debugfs(f"stat <{inode}>").partition("\nEXTENTS:")
        found = {}
        for line in head.splitlines():
            name, _, value = line.strip().partition(": ")
            if " -- " in value:
                found[name] = value
            else:
                found.update(re.findall(r"([A-Za-z][A-Za-z ]*): +(\S+)", line))
        found.pop("Inode checksum", None)
        return {**found, "blocks": blocks}


@frozen
class _Geometry:
    """The positions of the inodes of an ext4 file system; `tables` are byte offsets, one for each
    group."""

    block: int
    inode: int
    inodes_a_group: int
    tables: tuple[int, ...]

    @classmethod
    def of(cls, side: _Side) -> _Geometry | None:
        text = _output("dumpe2fs", f"{side.disk}?offset={side.start}")
        told = dict(re.findall(r"^([A-Z][A-Za-z ]+):[ \t]+(\d+)$", text, re.MULTILINE))
        if "Block size" not in told:
            return None
        block = int(told["Block size"])
        return cls(
            block,
            int(told["Inode size"]),
            int(told["Inodes per group"]),
            tuple(int(at) * block for at in re.findall(r"Inode table at (\d+)", text)),
        )

    def inode_at(self, offset: int) -> int | None:
        """The number of the inode at this byte, if the byte is in an inode table."""
        for group, table in enumerate(self.tables):
            if table <= offset < table + self.inodes_a_group * self.inode:
                return group * self.inodes_a_group + (offset - table) // self.inode + 1
        return None


def _in_ext4(one: _Side, other: _Side, offsets: list[int]) -> str | None:
    geometry = _Geometry.of(one)
    if geometry is None:
        return None
    for inode in _inodes(one, other, geometry, offsets):
        paths = [side.path(inode) for side in (one, other)]
        if paths[0] != paths[1]:
            names = [path or "no file" for path in paths]
            return f"{names[0]} is where the other has {names[1]}"
        if paths[0]:
            return f"{paths[0]}: {_of_inode(one, other, inode)}"
    return None


def _inodes(one: _Side, other: _Side, geometry: _Geometry, offsets: list[int]) -> Iterator[int]:
    """The inodes that differ, or whose blocks differ, in the order of the disk."""
    blocks = " ".join(str(offset // geometry.block) for offset in offsets)
    owners = [side.rows(f"icheck {blocks}") for side in (one, other)]
    for offset in offsets:
        inode = geometry.inode_at(offset)
        if inode is not None:
            yield inode
            continue
        for owner in (rows.get(offset // geometry.block, "") for rows in owners):
            if owner.isdigit():
                yield int(owner)


def _of_inode(one: _Side, other: _Side, inode: int) -> str:
    ours, theirs = one.fields(inode), other.fields(inode)
    for name in (name for name in ours if name != "blocks"):
        if ours[name] != theirs.get(name):
            return f"{name} is {ours[name]} and {theirs.get(name)}"
    if ours.get("Type") == "directory":
        return "its entries"
    with _content(one, inode) as first, _content(other, inode) as second:
        assert first.stdout and second.stdout
        found = in_content(first.stdout, second.stdout)
        first.stdout.read()
        second.stdout.read()
    return found or ("its place on the disk" if ours != theirs else "what its inode holds")


def _content(side: _Side, inode: int) -> subprocess.Popen:
    return subprocess.Popen(
        ["debugfs", "-R", f"cat <{inode}>", f"{side.disk}?offset={side.start}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )


def _in_fat(one: _Side, other: _Side) -> str | None:
    with tempfile.TemporaryDirectory(prefix="kbimg-") as top:
        trees = []
        for name, side in (("one", one), ("other", other)):
            tree = Path(top, name)
            tree.mkdir()
            # -m keeps the times.
            _output(
                "mcopy", "-s", "-m", "-n", "-i", f"{side.disk}@@{side.start}", "::/*", str(tree)
            )
            trees.append({path.relative_to(tree): path for path in tree.rglob("*")})
        for path in sorted({*trees[0], *trees[1]}):
            if found := _of_copies(trees[0].get(path), trees[1].get(path)):
                return f"/{path}: {found}"
            # Directories are compared by their listing only.
    listings = [list(_listed(side)) for side in (one, other)]
    for ours, theirs in zip(*listings):
        if ours != theirs:
            return f"{ours[0]}: its entry is {ours[1]!r} and {theirs[1]!r}"
    return None


def _of_copies(ours: Path | None, theirs: Path | None) -> str | None:
    if ours is None or theirs is None:
        return f"is in the {'second' if ours is None else 'first'} image only"
    if ours.is_dir() or theirs.is_dir():
        return None if ours.is_dir() == theirs.is_dir() else "is a directory in one image only"
    with open(ours, "rb") as first, open(theirs, "rb") as second:
        if found := in_content(first, second):
            return found
    times = [int(path.stat().st_mtime) for path in (ours, theirs)]
    return None if times[0] == times[1] else f"mtime is {times[0]} and {times[1]}"


def _listed(side: _Side) -> Iterator[tuple[str, str]]:
    """Each line of a listing, with the path of its directory."""
    folder = "the volume"
    for line in _output("mdir", "-a", "-/", "-i", f"{side.disk}@@{side.start}", "::").splitlines():
        if line.startswith("Directory for ::"):
            folder = line[len("Directory for ::") :]
        elif line.strip():
            yield folder, " ".join(line.split())


def _output(*argv: str, is_checked: bool = False) -> str:
    return subprocess.run(
        argv,
        check=is_checked,
        encoding="utf-8",
        errors="surrogateescape",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ).stdout
