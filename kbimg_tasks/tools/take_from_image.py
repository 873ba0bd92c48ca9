"""Extract the tar of the root tree from an upgrade image, and check that a disk can be made of it.

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
import shutil
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from kbimg_tasks.tools.oci import BLOCK, DELETED, ImageEntry, Unpacked, chosen, images
from kbimg_tasks.tools.user_error import UserError

VERITY = "update-root.img"
# The files that a disk needs. os-agent identifies an image of KubeOS.
WANTED = {
    "boot/vmlinuz": "a kernel",
    "boot/initramfs.img": "an initramfs",
    "usr/bin/os-agent": "os-agent",
}
STARTING = {"menu": "GRUB's menu", "grubenv": "GRUB's environment", "grub": "GRUB"}


def copy_out(archive: tarfile.TarFile, image: ImageEntry, wanted: str, target: Path) -> None:
    """Write one file of the image, from the topmost layer that has it."""
    seen: list[str] = []
    for member in reversed(image.layers):
        stream = archive.extractfile(member)
        if stream is None:
            raise UserError(f"its layer {member} is no file")
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
        raise UserError(
            f"expected /{wanted}, found /{VERITY}: an upgrade image with dm-verity is "
            "signed for the disks of its own configuration; build from packages"
        )
    raise UserError(
        f"expected /{wanted} in it, found {', '.join(sorted(seen)[:5]) or 'nothing'}: "
        "is it an upgrade image of KubeOS?"
    )


def newest(tar: Path, wanted: Mapping[str, str]) -> int:
    """The time of the newest file in a root tree that has all `wanted` paths."""
    missing, time = dict(wanted), 0
    with tarfile.open(tar, "r:") as tree:
        for entry in tree:
            missing.pop(str(PurePosixPath("/", entry.name).relative_to("/")), None)
            time = max(time, int(entry.mtime))
    if missing:
        raise UserError(
            "its root tree has "
            + ", ".join(
                f"no {what.removeprefix('a ').removeprefix('an ')} (/{path})"
                for path, what in missing.items()
            )
        )
    return time


def main(argv: Sequence[str] | None = None) -> int:
    """Extract the tar, or print an error."""
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
    except UserError as error:
        print(f"take_from_image: {what}: {error}", file=sys.stderr)
        return 1
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError) as error:
        print(
            f"take_from_image: {what}: expected a container image that is whole, found one that "
            f"cannot be read: {error}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
