"""What docs/graph.svg shows: the stages of a full configuration, their files, and the images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from docs.generator.stages import images_of, shown, usual
from kbimg_tasks.commands.report import pictures
from kbimg_tasks.commands.report.model import StageState, State
from kbimg_tasks.plan.images import Plan
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.steps.stage import Stage

CHARACTERS = 22  # of files' names, in a box
SHARED = "shared"
# Nothing of one part of the picture is nearer to another part than this.
SPACE = 24.0
PLACE = re.compile(r"(-?[\d.]+),(-?[\d.]+)")


@frozen
class Node:
    """A stage or an image with its box's upper left corner, the files it makes, and whose it is:
    an image's, or shared by several."""

    name: str
    title: str
    files: str
    owner: str
    is_image: bool
    x: float
    y: float


@frozen
class Part:
    """A graph with nothing in common with the others, and where its upper left corner is."""

    nodes: tuple[Node, ...]
    lines: tuple[pictures.Line, ...]
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


@frozen
class Picture:
    """The whole."""

    parts: tuple[Part, ...]
    width: float
    height: float
    box_width: float
    box_height: float
    owners: tuple[str, ...]


def picture() -> Picture:
    """The graph of the usual configuration: an arrow that a longer way implies is left out."""
    planned = usual()
    first, *others = (part(planned, images) for images in apart(planned))
    parts = [first]
    for other in others:
        parts.append(placed(other, parts))
    return Picture(
        tuple(parts),
        max(each.x + each.width for each in parts),
        max(each.y + each.height for each in parts),
        pictures.NODE_WIDTH,
        pictures.NODE_HEIGHT,
        (SHARED, *KINDS),
    )


def apart(planned: Plan) -> Sequence[Sequence[str]]:
    """The images, those that share stages together."""
    groups: list[list[str]] = []
    for image in planned.images:
        stages = set(planned.in_order(image))
        group = next((each for each in groups if stages & set(planned.standing_under(each))), None)
        if group is None:
            groups.append([image])
        else:
            group.append(image)
    return groups


def part(planned: Plan, images: Sequence[str]) -> Part:
    """The stages of some images, with an image below its results."""
    stages = {
        stage.name: stage
        for stage in planned.stages
        if set(images) & set(images_of(stage, planned))
    }
    owners = {image: image for image in images}
    states = []
    for name, stage in stages.items():
        made_for = images_of(stage, planned)
        owners[name] = made_for[0] if len(made_for) == 1 else SHARED
        needs = tuple(dict.fromkeys(need.stage for need in stage.needs()))
        states.append(StageState(name, stage.summary, needs, State.MADE))
    for image in images:
        results = tuple(stage.name for stage in planned.images[image])
        states.append(StageState(image, KINDS[image].summary, results, State.MADE))
    drawn = pictures.graph(states)
    return Part(
        tuple(
            Node(
                box.stage.name,
                box.stage.summary,
                _files(stages, box.stage.name),
                owners[box.stage.name],
                box.stage.name in images,
                box.x,
                box.y,
            )
            for box in drawn.boxes
        ),
        drawn.lines,
        drawn.width,
        drawn.height,
    )


def _files(stages: dict[str, Stage], name: str) -> str:
    """The files of a stage, results first and then the large ones, as many as there is room for."""
    made = sorted(
        stages[name].artifacts if name in stages else (),
        key=lambda file: (
            not file.is_result,
            not (file.is_tree or file.name.endswith((".img", ".tar"))),
        ),
    )
    names = [shown(file) for file in made]
    if names and len(names[0]) > CHARACTERS:
        return f"{names[0][: CHARACTERS - 1]}…"
    for count in range(len(names), 0, -1):
        text = ", ".join((*names[:count], *["…"] * (count < len(names))))
        if len(text) <= CHARACTERS:
            return text
    return names[0] if names else ""


def placed(other: Part, parts: Iterable[Part]) -> Part:
    """A part at the right edge of the first, as high as there is room for it."""
    taken = [place for each in parts for place in places(each)]
    right = max(each.x + each.width for each in parts)
    x, y = right - other.width, 0.0
    while any(
        _are_near((left + x, top + y, w, h), there)
        for left, top, w, h in places(other)
        for there in taken
    ):
        y += pictures.LAYER_HEIGHT
    return evolve(other, x=x, y=y)


Place = tuple[float, float, float, float]  # left, top, width, height


def places(drawn: Part) -> list[Place]:
    """What a part takes up: its boxes, and the ends and bends of its lines."""
    boxes = [
        (node.x, node.y, float(pictures.NODE_WIDTH), float(pictures.NODE_HEIGHT))
        for node in drawn.nodes
    ]
    bends = [
        (float(x), float(y), 0.0, 0.0) for line in drawn.lines for x, y in PLACE.findall(line.path)
    ]
    return [(left + drawn.x, top + drawn.y, w, h) for left, top, w, h in boxes + bends]


def _are_near(one: Place, other: Place) -> bool:
    return all(
        one[axis] < other[axis] + other[axis + 2] + SPACE
        and other[axis] < one[axis] + one[axis + 2] + SPACE
        for axis in (0, 1)
    )
