"""Write a container image as one tar that Docker, Podman, containerd and skopeo all load.

Usage: container_archive ARCHIVE --name=NAME --full-name=NAME --architecture=ARCH --clock=SECONDS
           (--layer=TAR | --file=PATH=NAME)... [--settings=FILE] [--digests=FILE]

NAME has a tag, and the full name also has a registry. A layer is an existing tar, or contains one
file under NAME. FILE is JSON: the "config" object of an OCI image configuration, which has the
command of a container. `--digests` writes the digests by which engines identify the image, one on
each line: that of the configuration, for Docker and Podman, and that of the manifest, for
containerd.

The tar is an OCI image layout (https://github.com/opencontainers/image-spec/blob/v1.0.2/
image-layout.md) with `manifest.json` of `docker save` beside its index: Docker before 25 reads only
that, skopeo's oci-archive only the index. Layers are gzip, which is the one compression that all of
them read; level 1, since more takes longer and saves little. They are compressed in blocks by
several threads, and no byte depends on how many there are. Everything streams: a layer's place in
the tar gets its header, which has the digest in it, when the layer is written.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import tarfile
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from kbimg_tasks.tools.units import MIB

BLOCK = MIB  # bytes
WINDOW = 32 << 10  # bytes that deflate looks back
LEVEL = 1
# RFC 1952: magic, deflate, no flags, no time, fastest, Unix.
GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x04\x03"
OCI = "application/vnd.oci.image."


def pieces(stream: BinaryIO) -> Iterator[bytes]:
    """A file's content in blocks."""
    while piece := stream.read(BLOCK):
        yield piece


def deflated(block: bytes, before: bytes, is_last: bool) -> bytes:
    """One block as deflate data that follows `before` and, unless it is the last, precedes more."""
    compressor = (
        zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
        if before
        else zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    )
    return compressor.compress(block) + compressor.flush(
        zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH
    )


def gzipped(blocks: Iterator[bytes], threads: int) -> Iterator[bytes]:
    """The blocks as one gzip member (RFC 1952), of which at most a few are in memory."""
    checksum, size, before = 0, 0, b""
    waiting: deque[Future[bytes]] = deque()
    yield GZIP_HEADER
    with ThreadPoolExecutor(threads) as pool:
        for block in blocks:
            checksum, size = zlib.crc32(block, checksum), size + len(block)
            waiting.append(pool.submit(deflated, block, before, False))
            before = block[-WINDOW:]
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    yield deflated(b"", before, True)
    yield checksum.to_bytes(4, "little") + (size % (1 << 32)).to_bytes(4, "little")


class Digesting:
    """Passes blocks on and knows the SHA-256 digest of all of them."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self._digest.update(block)
            self.size += len(block)
            yield block

    def __str__(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


def entry(name: str, size: int, clock: int) -> tarfile.TarInfo:
    """The tar entry of a file owned by root."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, clock, 0o644
    return info


def header(name: str, size: int, clock: int) -> bytes:
    """A tar header in GNU's format, which is one block for a file of any size (tar(5))."""
    return entry(name, size, clock).tobuf(tarfile.GNU_FORMAT)


def tar_of(name: str, path: Path, clock: int) -> Iterator[bytes]:
    """A tar with one file."""
    size = path.stat().st_size
    yield header(name, size, clock)
    with path.open("rb") as stream:
        yield from pieces(stream)
    yield bytes(-size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def content_of(path: Path) -> Iterator[bytes]:
    """An existing tar."""
    with path.open("rb") as stream:
        yield from pieces(stream)


class ArchiveWriter:
    """Writes the archive: blobs under their digests, in the order of the calls."""

    def __init__(self, out: BinaryIO, clock: int) -> None:
        self._out, self._clock = out, clock
        self._blobs: list[str] = []

    def stream(self, blocks: Iterator[bytes]) -> tuple[str, int]:
        """Write a blob of any size. Returns its digest and its size in bytes."""
        start = self._out.tell()
        self._out.seek(tarfile.BLOCKSIZE, io.SEEK_CUR)
        digesting = Digesting(blocks)
        for block in digesting:
            self._out.write(block)
        digest, size = str(digesting), digesting.size
        self._out.write(bytes(-size % tarfile.BLOCKSIZE))
        end = self._out.tell()
        self._out.seek(start)
        if digest in self._blobs:  # two layers with the same content are one blob
            self._out.truncate()
            return digest, size
        self._blobs.append(digest)
        self._out.write(header(f"blobs/{digest.replace(':', '/')}", size, self._clock))
        self._out.seek(end)
        return digest, size

    def blob(self, content: Any) -> tuple[str, int]:
        """Write JSON as a blob. Returns its digest and its size in bytes."""
        return self.stream(iter([as_json(content)]))

    def file(self, name: str, content: Any) -> None:
        """Write JSON under a name."""
        data = as_json(content)
        self._out.write(header(name, len(data), self._clock))
        self._out.write(data + bytes(-len(data) % tarfile.BLOCKSIZE))

    def finish(self) -> None:
        """Write the end of the tar: two blocks of zeros."""
        self._out.write(bytes(2 * tarfile.BLOCKSIZE))


def as_json(content: Any) -> bytes:
    """JSON in one canonical form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


class Description(NamedTuple):
    """The metadata of the image; `clock` is in seconds since the epoch."""

    name: str
    full_name: str
    architecture: str
    settings: dict[str, Any]
    clock: int


def write(
    out: BinaryIO, layers: Sequence[tuple[str, Iterator[bytes]]], image: Description, threads: int
) -> tuple[str, str]:
    """Write the archive. Returns the digests of its configuration and manifest. Each layer comes
    with the text for its history."""
    layout = ArchiveWriter(out, image.clock)
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(image.clock))
    blobs, contents = [], []
    for _, blocks in layers:
        content = Digesting(blocks)
        blobs.append(layout.stream(gzipped(iter(content), threads)))
        contents.append(str(content))
    config, config_size = layout.blob(
        {
            "created": created,
            "architecture": image.architecture,
            "os": "linux",
            "config": image.settings,
            "rootfs": {"type": "layers", "diff_ids": contents},
            "history": [{"created": created, "created_by": words} for words, _ in layers],
        }
    )
    manifest, manifest_size = layout.blob(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}manifest.v1+json",
            "config": {"mediaType": f"{OCI}config.v1+json", "digest": config, "size": config_size},
            "layers": [
                {"mediaType": f"{OCI}layer.v1.tar+gzip", "digest": digest, "size": size}
                for digest, size in blobs
            ],
        }
    )
    path = "blobs/{}".format
    layout.file(
        "index.json",
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}index.v1+json",
            "manifests": [
                {
                    "mediaType": f"{OCI}manifest.v1+json",
                    "digest": manifest,
                    "size": manifest_size,
                    "platform": {"architecture": image.architecture, "os": "linux"},
                    "annotations": {
                        "io.containerd.image.name": image.full_name,
                        "org.opencontainers.image.ref.name": image.name.rpartition(":")[2],
                    },
                }
            ],
        },
    )
    layout.file(
        "manifest.json",
        [
            {
                "Config": path(config.replace(":", "/")),
                "RepoTags": [image.name],
                "Layers": [path(digest.replace(":", "/")) for digest, _ in blobs],
            }
        ],
    )
    layout.file("oci-layout", {"imageLayoutVersion": "1.0.0"})
    layout.finish()
    return config, manifest


def layer(kind: str, text: str, clock: int) -> tuple[str, Iterator[bytes]]:
    """The layer of one argument."""
    if kind == "layer":
        return "packages and files", content_of(Path(text))
    path, _, name = text.rpartition("=")
    return f"COPY {Path(path).name} /{name}", tar_of(name, Path(path), clock)


def pair(kind: str, text: str) -> tuple[str, str]:
    """A layer's kind and its argument, so that layers of all kinds keep their order."""
    return kind, text


def main(argv: Sequence[str] | None = None) -> int:
    """Write the archive."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--full-name", required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--clock", type=int, required=True)
    for kind in ("layer", "file"):
        parser.add_argument(
            f"--{kind}", dest="layers", action="append", default=[], type=partial(pair, kind)
        )
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--digests", type=Path)
    given = parser.parse_args(argv)
    settings = json.loads(given.settings.read_text()) if given.settings else {}
    layers = [layer(kind, text, given.clock) for kind, text in given.layers]
    image = Description(given.name, given.full_name, given.architecture, settings, given.clock)
    with given.archive.open("w+b") as out:
        digests = write(out, layers, image, os.cpu_count() or 1)
    if given.digests:
        given.digests.write_text("".join(f"{digest}\n" for digest in digests))
    return 0


if __name__ == "__main__":
    sys.exit(main())
