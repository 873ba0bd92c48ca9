"""Container images, each a file of its own that every engine loads."""

from __future__ import annotations

from kbimg_tasks.containers import reference
from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.steps.stage import Arg, Artifact, Data, Size, Stage, joined, tool

DIGESTS = "digests"


def archive(
    name: str,
    result: str,
    summary: str,
    image: str,
    architecture: Architecture,
    content: tuple[Arg, ...],
    clock: Arg,
    settings: Data | None = None,
) -> Stage:
    """The file `result` with the container image called `image`.

    `content` are the tool's words for its layers (`layer`, `file`), `settings` says what a
    container of it runs.
    """
    made = Artifact(name, result, is_result=True, size=Size.ROOT)
    digests = Artifact(name, DIGESTS)
    how = (joined("--settings=", settings),) if settings else ()
    return Stage(
        name,
        summary,
        clock,
        (made, digests),
        steps=(
            tool(
                "container_archive",
                made,
                f"--name={reference.tagged(image)}",
                f"--full-name={reference.full(image)}",
                f"--architecture={architecture.oci}",
                joined("--clock=", clock),
                joined("--digests=", digests),
                *how,
                *content,
            ),
        ),
    )


def file(path: Artifact, name: str) -> Arg:
    """A layer that holds one file."""
    return joined("--file=", path, f"={name}")


def layer(tar: Artifact) -> Arg:
    """A layer that is there as a tar."""
    return joined("--layer=", tar)
