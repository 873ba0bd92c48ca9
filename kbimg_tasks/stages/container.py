"""Container images, each a file of its own that every engine loads."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.containers import reference
from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.stage import Arg, Artifact, Data, Size, Stage, joined, tool

DIGESTS = "digests"


@frozen
class Image:
    """A container image: its name, the architecture of its programs, its layers as arguments of the
    tool (`layer`, `file`), and the file that says what a container of it runs."""

    name: str
    architecture: Architecture
    layers: tuple[Arg, ...]
    settings: Data | None = None


def archive(name: str, result: str, summary: str, image: Image, clock: Arg) -> Stage:
    """The file `result` with the container image."""
    made = Artifact(name, result, is_result=True, size=Size.ROOT)
    digests = Artifact(name, DIGESTS)
    how = (joined("--settings=", image.settings),) if image.settings else ()
    return Stage(
        name,
        summary,
        clock,
        (made, digests),
        steps=(
            tool(
                "container_archive",
                made,
                f"--name={reference.tagged(image.name)}",
                f"--full-name={reference.full(image.name)}",
                f"--architecture={image.architecture.oci}",
                joined("--clock=", clock),
                joined("--digests=", digests),
                *how,
                *image.layers,
            ),
        ),
    )


def file(path: Artifact, name: str) -> Arg:
    """A layer that holds one file."""
    return joined("--file=", path, f"={name}")


def layer(tar: Artifact) -> Arg:
    """A layer that is there as a tar."""
    return joined("--layer=", tar)
