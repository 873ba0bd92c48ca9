"""Reads container images in archives: names and layers, with either kind of index."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from kbimg_tasks.tools.image_name import tagged
from kbimg_tasks.tools.units import MIB
from kbimg_tasks.tools.user_error import UserError

BLOCK = MIB  # bytes
DELETED = ".wh."  # https://github.com/opencontainers/image-spec/blob/v1.0.2/layer.md#whiteouts
ZSTD = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1


class ImageEntry(NamedTuple):
    """An image in an archive: its names, and the members of its layers, the lowest first."""

    names: list[str]
    layers: list[str]


def images(archive: tarfile.TarFile) -> Iterator[ImageEntry]:
    """The images of an archive, by either kind of index."""
    members = set(archive.getnames())
    if "manifest.json" in members:
        for entry in read_json(archive, "manifest.json"):
            yield ImageEntry(entry.get("RepoTags") or [], entry["Layers"])
    elif "index.json" in members:
        for entry in of_index(archive, "index.json"):
            notes = entry.get("annotations", {})
            names = [
                notes[key]
                for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name")
                if key in notes
            ]
            manifest = read_json(archive, blob(entry))
            yield ImageEntry(names, [blob(layer) for layer in manifest["layers"]])
    else:
        raise UserError(
            "expected a container image as docker save writes it, or an OCI image "
            "layout: it has neither manifest.json nor index.json"
        )


def of_index(archive: tarfile.TarFile, name: str) -> Iterator[Any]:
    """The manifests of an index and of the indexes in it."""
    for entry in read_json(archive, name)["manifests"]:
        if "index" in entry["mediaType"] or "manifest.list" in entry["mediaType"]:
            # An index lists platforms; the archive lacks those that the engine did not fetch.
            yield from (
                each for each in of_index(archive, blob(entry)) if blob(each) in archive.getnames()
            )
        else:
            yield entry


def blob(entry: Any) -> str:
    """The member that a descriptor refers to."""
    return f"blobs/{entry['digest'].replace(':', '/')}"


def read_json(archive: tarfile.TarFile, name: str) -> Any:
    """The JSON of a member."""
    stream = archive.extractfile(name)
    assert stream is not None
    return json.load(stream)


def chosen(found: list[ImageEntry], name: str | None) -> ImageEntry:
    """The image of that name, or the only one. An image without names, or with a digest as its
    name, matches any name."""
    matching = [
        image
        for image in found
        if name is None
        or "@" in name
        or not image.names
        or any(same(name, each) for each in image.names)
    ]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(sorted(each for image in found for each in image.names)) or "none with a name"
    raise UserError(f"expected one image{f' called {name}' if name else ''}, found {names}")


def same(one: str, other: str) -> bool:
    """Whether two names mean the same image: engines add a registry and a tag."""
    one, other = tagged(one), tagged(other)
    return one == other or other.endswith(f"/{one}") or one.endswith(f"/{other}")


class Unpacked:
    """The tar of a layer. zstd, which tarfile does not support, is decompressed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> IO[bytes]:
        magic = self._stream.read(len(ZSTD))
        self._stream.seek(0)
        if magic != ZSTD:
            return self._stream
        self._process = subprocess.Popen(
            ["zstd", "--decompress", "--stdout", "--quiet"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._feed, daemon=True).start()
        assert self._process.stdout is not None
        return self._process.stdout

    def _feed(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            shutil.copyfileobj(self._stream, self._process.stdin, BLOCK)
            self._process.stdin.close()
        except OSError:
            pass  # the reader has closed the pipe

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
