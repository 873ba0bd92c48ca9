"""Take the root tree's tar out of an upgrade image, and look whether a disk can be made of it.

Usage: take_from_image ARCHIVE TARGET --file=NAME [--name=IMAGE] --clock=FILE
                       --grub=PATH --menu=PATH --grubenv=PATH

ARCHIVE is what `docker save`, `podman save`, `ctr images export` or kbimg wrote: a tar with
`manifest.json` of `docker save`, or with an OCI image layout. Of several images in it, IMAGE says
which. NAME is the file in the image; it may lie in any layer. The time of the newest file in the
tree goes to the file of `--clock`, in seconds since 1970. The other options say where in the tree
what starts it must lie.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path, PurePosixPath
from typing import IO, Any, Iterator, List, Mapping, NamedTuple, Optional, Sequence

BLOCK = 1 << 20  # bytes
DELETED = ".wh."  # https://github.com/opencontainers/image-spec/blob/v1.0.2/layer.md#whiteouts
ZSTD = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1
VERITY = "update-root.img"
# What a disk is made of. os-agent is what makes an image one of KubeOS.
WANTED = {
    "boot/vmlinuz": "a kernel",
    "boot/initramfs.img": "an initramfs",
    "usr/bin/os-agent": "os-agent",
}
STARTING = {"menu": "GRUB's menu", "grubenv": "GRUB's environment", "grub": "GRUB"}


class Unusable(Exception):
    """Not an upgrade image that a disk can be made of; the text says why."""


class Image(NamedTuple):
    """An image in an archive: its names, and its layers' members, the lowest first."""

    names: List[str]
    layers: List[str]


def images(archive: tarfile.TarFile) -> Iterator[Image]:
    """The images of an archive, by the one or the other kind of index."""
    members = set(archive.getnames())
    if "manifest.json" in members:
        for entry in read_json(archive, "manifest.json"):
            yield Image(entry.get("RepoTags") or [], entry["Layers"])
    elif "index.json" in members:
        for entry in of_index(archive, "index.json"):
            notes = entry.get("annotations", {})
            names = [notes[key] for key in ("io.containerd.image.name",
                                            "org.opencontainers.image.ref.name") if key in notes]
            manifest = read_json(archive, blob(entry))
            yield Image(names, [blob(layer) for layer in manifest["layers"]])
    else:
        raise Unusable("expected a container image as docker save writes it, or an OCI image "
                       "layout: it has neither manifest.json nor index.json")


def of_index(archive: tarfile.TarFile, name: str) -> Iterator[Any]:
    """The manifests of an index and of the indexes in it."""
    for entry in read_json(archive, name)["manifests"]:
        if "index" in entry["mediaType"] or "manifest.list" in entry["mediaType"]:
            # An index lists platforms; what the engine did not fetch is not in the archive.
            yield from (each for each in of_index(archive, blob(entry))
                        if blob(each) in archive.getnames())
        else:
            yield entry


def blob(entry: Any) -> str:
    """The member that holds what a descriptor describes."""
    return f"blobs/{entry['digest'].replace(':', '/')}"


def read_json(archive: tarfile.TarFile, name: str) -> Any:
    """A member that is JSON."""
    stream = archive.extractfile(name)
    assert stream is not None
    return json.load(stream)


def chosen(found: List[Image], name: Optional[str]) -> Image:
    """The image of that name, or the only one; one that has lost its names, or is named by a
    digest, may be any."""
    matching = [image for image in found if name is None or "@" in name or not image.names
                or any(same(name, each) for each in image.names)]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(sorted(each for image in found for each in image.names)) or "none with a name"
    raise Unusable(f"expected one image{f' called {name}' if name else ''}, found {names}")


def same(one: str, other: str) -> bool:
    """Whether two names mean one image: engines add a registry and a tag."""
    one, other = tagged(one), tagged(other)
    return one == other or other.endswith(f"/{one}") or one.endswith(f"/{other}")


def tagged(name: str) -> str:
    """A name with its tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def copy_out(archive: tarfile.TarFile, image: Image, wanted: str, target: Path) -> None:
    """Write one file of the image, of the topmost layer that has it."""
    seen: List[str] = []
    for member in reversed(image.layers):
        stream = archive.extractfile(member)
        if stream is None:
            raise Unusable(f"its layer {member} is no file")
        with Unpacked(stream) as plain, tarfile.open(fileobj=plain, mode="r|*") as layer:
            for entry in layer:
                path = PurePosixPath("/", entry.name).relative_to("/")
                seen.append(str(path))
                if str(path) == wanted and entry.isreg():
                    content = layer.extractfile(entry)
                    assert content is not None
                    with target.open("wb") as out:
                        shutil.copyfileobj(content, out, BLOCK)
                    return
                if str(path) == f"{DELETED}{wanted}":
                    break
    if VERITY in seen:
        raise Unusable(f"expected /{wanted}, found /{VERITY}: an upgrade image with dm-verity is "
                       "signed for the disks of its own configuration; build from packages")
    raise Unusable(f"expected /{wanted} in it, found {', '.join(sorted(seen)[:5]) or 'nothing'}: "
                   "is it an upgrade image of KubeOS?")


class Unpacked:
    """A layer's tar with zstd's compression, which tarfile does not know, taken off."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._process: Optional[subprocess.Popen] = None

    def __enter__(self) -> IO[bytes]:
        magic = self._stream.read(len(ZSTD))
        self._stream.seek(0)
        if magic != ZSTD:
            return self._stream
        self._process = subprocess.Popen(["zstd", "--decompress", "--stdout", "--quiet"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._feed, daemon=True).start()
        assert self._process.stdout is not None
        return self._process.stdout

    def _feed(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            shutil.copyfileobj(self._stream, self._process.stdin, BLOCK)
            self._process.stdin.close()
        except OSError:
            pass  # nobody reads any more

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


def newest(tar: Path, wanted: Mapping[str, str]) -> int:
    """The time of the newest file of a root tree, when it has all that is `wanted`, by its path."""
    missing, time = dict(wanted), 0
    with tarfile.open(tar, "r:") as tree:
        for entry in tree:
            missing.pop(str(PurePosixPath("/", entry.name).relative_to("/")), None)
            time = max(time, int(entry.mtime))
    if missing:
        raise Unusable("its root tree has " + ", ".join(
            f"no {what.removeprefix('a ').removeprefix('an ')} (/{path})"
            for path, what in missing.items()))
    return time


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Take it out, or say in one line why it cannot be used."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("archive", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--file", required=True)
    parser.add_argument("--name")
    parser.add_argument("--clock", type=Path, required=True)
    for option in STARTING:
        parser.add_argument(f"--{option}", required=True)
    given = parser.parse_args(argv)
    starting = {vars(given)[option].lstrip("/"): what for option, what in STARTING.items()}
    what = given.name or given.archive.name
    try:
        with tarfile.open(given.archive, "r:*") as archive:
            copy_out(archive, chosen(list(images(archive)), given.name), given.file, given.target)
        given.clock.write_text(f"{newest(given.target, {**WANTED, **starting})}\n")
    except Unusable as error:
        print(f"take_from_image: {what}: {error}", file=sys.stderr)
        return 1
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError) as error:
        print(f"take_from_image: {what}: expected a container image that is whole, found one that "
              f"cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
