"""Container images, as archives that every engine can load."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.containers import reference
from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.args import Arg, Artifact, Location, Size, joined
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import tool
from kbimg_tasks.tools.image_name import tagged

DIGESTS = "digests"


@frozen
class ContainerImage:
    """A container image: its name, the architecture of its programs, its layers as arguments of the
    tool (`layer`, `file`), and the file with the command and settings of its containers."""

    name: str
    architecture: Architecture
    layers: tuple[Arg, ...]
    settings: Location | None = None


def archive(name: str, result: str, summary: str, image: ContainerImage, clock: Arg) -> Stage:
    """The stage that writes the container image to the file `result`."""
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
                f"--name={tagged(image.name)}",
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
    """A layer with one file."""
    return joined("--file=", path, f"={name}")


def layer(tar: Artifact) -> Arg:
    """A layer from an existing tar."""
    return joined("--layer=", tar)
