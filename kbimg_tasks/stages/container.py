"""Container images, each a file of its own that every engine loads."""

from __future__ import annotations

from typing import Optional, Tuple

from kbimg_tasks import image_names
from kbimg_tasks.stage import Arg, Artifact, Data, Stage, joined, tool

# Go's name of the architecture, which the OCI image specification takes.
ARCHITECTURE = "amd64"
DIGESTS = "digests"


def archive(name: str, result: str, summary: str, image: str, content: Tuple[Arg, ...], clock: Arg,
            settings: Optional[Data] = None) -> Stage:  # fmt: skip
    """The file `result` with the container image called `image`.

    `content` are the tool's words for its layers (`layer`, `file`), `settings` says what a
    container of it runs.
    """
    made = Artifact(name, result, is_result=True, holds_tree=True)
    digests = Artifact(name, DIGESTS)
    how = (joined("--settings=", settings),) if settings else ()
    return Stage(
        name, summary, clock, (made, digests),
        steps=(tool("container_archive", made, f"--name={image_names.tagged(image)}",
                    f"--full-name={image_names.full(image)}", f"--architecture={ARCHITECTURE}",
                    joined("--clock=", clock), joined("--digests=", digests), *how, *content),),
    )  # fmt: skip


def file(path: Artifact, name: str) -> Arg:
    """A layer that holds one file."""
    return joined("--file=", path, f"={name}")


def layer(tar: Artifact) -> Arg:
    """A layer that is there as a tar."""
    return joined("--layer=", tar)
