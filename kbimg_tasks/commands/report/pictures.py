"""The geometry of a report's pictures.

The graph of stages is measured in pixels of its own. The disk and the timeline are as wide as the
page, so their places are in percent of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from attrs import frozen

from kbimg_tasks.commands.report import layered
from kbimg_tasks.commands.report.model import Disk, PartitionUse, Run, StageState, Work

NODE_WIDTH, NODE_HEIGHT = 176, 46
NODE_GAP, BEND_WIDTH, LAYER_HEIGHT, MARGIN = 20, 8, 84, 8
ARROWHEAD = 7
# The smallest width at which a part of the disk is visible.
SEEN_PERCENT = 0.8
# The numbers under the disk are this far apart at least: 24 of the 340 pixels of a phone.
BADGE_PERCENT = 7.0
BAR_SEEN_PERCENT = 0.4
STEPS = (1, 2, 5)
INTERVALS_AT_MOST = 6


@frozen
class Box:
    """A stage with the upper left corner of its box."""

    stage: StageState
    x: float
    y: float


@frozen
class Line:
    """An arrow between two stages, as an SVG path."""

    source: str
    target: str
    path: str


@frozen
class Graph:
    """The graph of stages."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def graph(stages: Sequence[StageState]) -> Graph:
    """The graph, without the arrows that a longer path implies; the table of stages lists those."""
    needs = layered.reduced({stage.name: stage.needs for stage in stages})
    drawing = layered.draw(needs, NODE_WIDTH, BEND_WIDTH, NODE_GAP)
    boxes = tuple(
        Box(
            stage,
            MARGIN + drawing.nodes[stage.name].x - NODE_WIDTH / 2,
            MARGIN + drawing.nodes[stage.name].layer * LAYER_HEIGHT,
        )
        for stage in stages
    )
    height = (drawing.layers - 1) * LAYER_HEIGHT + NODE_HEIGHT if stages else 0
    lines = tuple(Line(arrow.source, arrow.target, _path(arrow.points)) for arrow in drawing.arrows)
    return Graph(drawing.width + 2 * MARGIN, height + 2 * MARGIN, boxes, lines)


def _path(points: Sequence[layered.Point]) -> str:
    """From the lower edge of the first to the upper edge of the last: straight beside the boxes of
    a layer, curved between layers."""
    words: list[str] = []
    for number, point in enumerate(points):
        x, top = MARGIN + point.x, MARGIN + point.layer * LAYER_HEIGHT
        is_last = number == len(points) - 1
        if number == 0:
            words.append(f"M{x:.1f},{top + NODE_HEIGHT}")
        else:
            before = MARGIN + points[number - 1].x
            bottom = top - LAYER_HEIGHT + NODE_HEIGHT
            end = top - (ARROWHEAD if is_last else 0)
            middle = (bottom + end) / 2
            words.append(f"C{before:.1f},{middle:.1f} {x:.1f},{middle:.1f} {x:.1f},{end:.1f}")
            if not is_last:
                words.append(f"V{top + NODE_HEIGHT}")
    return " ".join(words)


@frozen
class Strip:
    """A partition on the disk, in percent of the picture: its place, and where its number is."""

    use: PartitionUse
    x: float
    width: float
    badge: float

    @property
    def filled(self) -> float:
        """The width of the used part."""
        system = self.use.file_system
        return self.width * system.used_bytes / system.size_bytes if system else 0.0


def strips(disk: Disk) -> tuple[Strip, ...]:
    """The partitions to scale, except those too small to see."""
    sizes = [use.partition.size_mib for use in disk.uses]
    widths = seen([100 * size / sum(sizes) for size in sizes], SEEN_PERCENT)
    starts = [0.0, *accumulate(widths)]
    middles = [start + width / 2 for start, width in zip(starts, widths)]
    badges = layered.apart(middles, [1.0] * len(middles), [BADGE_PERCENT] * len(middles), 0.0)
    left = max(0.0, BADGE_PERCENT / 2 - badges[0])
    badges = [
        max(badge, BADGE_PERCENT / 2 + number * BADGE_PERCENT) if left else badge
        for number, badge in enumerate(badges)
    ]
    return tuple(map(Strip, disk.uses, starts, widths, badges))


def seen(shares: Sequence[float], least: float) -> list[float]:
    """Shares of 100, each at least `least`: the large ones give up what the small ones need."""
    small = [share < least for share in shares]
    left = 100 - least * sum(small)
    rest = sum(share for share, is_small in zip(shares, small) if not is_small)
    return [least if is_small else share * left / rest for share, is_small in zip(shares, small)]


@frozen
class Bar:
    """The making of a stage on the timeline, in percent of the run."""

    work: Work
    x: float
    width: float


@frozen
class Tick:
    """A mark of the timeline's scale, in percent of the run and in seconds."""

    x: float
    seconds: float


def bars(run: Run) -> tuple[Bar, ...]:
    """One bar for each stage that was made, however short."""
    whole = run.seconds or 1.0
    found = []
    for work in run.works:
        width = max(100 * (work.ended - work.began) / whole, BAR_SEEN_PERCENT)
        found.append(Bar(work, min(100 * work.began / whole, 100 - width), width))
    return tuple(found)


def ticks(seconds: float) -> tuple[Tick, ...]:
    """Marks of a scale at round numbers of seconds."""
    if seconds <= 0:
        return ()
    step, power = 0.0, 0.001
    while not step:
        step = next(
            (factor * power for factor in STEPS if seconds / (factor * power) <= INTERVALS_AT_MOST),
            0.0,
        )
        power *= 10
    return tuple(
        Tick(100 * number * step / seconds, number * step)
        for number in range(int(seconds / step + 1e-9) + 1)
    )
