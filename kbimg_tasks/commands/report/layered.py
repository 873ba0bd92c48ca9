"""Places for the nodes of a graph without cycles: in layers, so that every arrow points down.

The method is that of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical
System Structures", 1981): layers by the longest path, the order in them by barycentres, and then
places that are as near to a node's neighbours as the widths allow. Pure, and the same for the same
graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

SWEEPS = 24
SETTLING_SWEEPS = 600
# Long arrows should be straight between their ends: weights of the connection of two nodes, of a
# node and a bend, and of two bends. The idea is that of Gansner, Koutsofios, North and Vo ("A
# Technique for Drawing Directed Graphs", 1993), who take 1, 2 and 8; that leaves small steps.
WEIGHTS = (1.0, 2.0, 40.0)
Needs = Mapping[str, Sequence[str]]
"""For each node the nodes that its arrows come from; these precede it in the mapping."""


@frozen
class Point:
    """A place: `x` in the unit of the widths, `layer` counted from the top."""

    x: float
    layer: int


@frozen
class Bend:
    """The point where an arrow passes a layer between its ends."""

    source: str
    target: str
    layer: int


@frozen
class Arrow:
    """An arrow between two nodes, with the places that it passes, its ends included."""

    source: str
    target: str
    points: tuple[Point, ...]


@frozen
class Drawing:
    """The places of all nodes and arrows; the leftmost edge of any node is at 0."""

    nodes: dict[str, Point]
    arrows: tuple[Arrow, ...]
    width: float
    layers: int


Item = object  # a node's name or a Bend


def reduced(needs: Needs) -> dict[str, tuple[str, ...]]:
    """The same graph without the arrows that a longer path implies."""
    above: dict[str, set[str]] = {}
    for node, sources in needs.items():
        above[node] = set(sources).union(*(above[source] for source in sources))
    return {
        node: tuple(
            source for source in sources if not any(source in above[other] for other in sources)
        )
        for node, sources in needs.items()
    }


def layers(needs: Needs) -> dict[str, int]:
    """The layer of each node: below its sources, and as near as possible to the nodes that need it,
    so that arrows are short."""
    found: dict[str, int] = {}
    for node, sources in needs.items():
        found[node] = max((found[source] + 1 for source in sources), default=0)
    for node in reversed(list(needs)):
        users = [found[user] for user, sources in needs.items() if node in sources]
        if users:
            found[node] = min(users) - 1
    top = min(found.values(), default=0)
    return {node: layer - top for node, layer in found.items()}


def draw(needs: Needs, node_width: float, bend_width: float, gap: float) -> Drawing:
    """Places for all nodes and arrows. Widths and the gap between neighbours are in one unit."""
    if not needs:
        return Drawing({}, (), 0.0, 0)
    layer_of = layers(needs)
    chains = {
        (source, target): [
            source,
            *(
                Bend(source, target, layer)
                for layer in range(layer_of[source] + 1, layer_of[target])
            ),
            target,
        ]
        for target, sources in needs.items()
        for source in sources
    }
    rows: list[list[Item]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for node in needs:
        rows[layer_of[node]].append(node)
    above: dict[Item, list[Item]] = {}
    below: dict[Item, list[Item]] = {}
    for chain in chains.values():
        for bend in chain[1:-1]:
            rows[bend.layer].append(bend)  # type: ignore[attr-defined]
        for upper, lower in zip(chain, chain[1:]):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    rows = _ordered(rows, above, below)
    widths = {
        item: bend_width if isinstance(item, Bend) else node_width for row in rows for item in row
    }
    x = _placed(rows, above, below, widths, gap)
    left = min(x[item] - widths[item] / 2 for item in x)
    places = {
        item: Point(x[item] - left, number) for number, row in enumerate(rows) for item in row
    }
    arrows = tuple(
        Arrow(source, target, tuple(places[item] for item in chain))
        for (source, target), chain in chains.items()
    )
    return Drawing(
        {node: places[node] for node in needs},
        arrows,
        max(x[item] + widths[item] / 2 for item in x) - left,
        len(rows),
    )


def crossings(rows: Sequence[Sequence[Item]], below: Mapping[Item, Sequence[Item]]) -> int:
    """How many pairs of arrows between neighbouring layers cross."""
    count = 0
    for upper, lower in zip(rows, rows[1:]):
        place = {item: number for number, item in enumerate(lower)}
        ends = [sorted(place[end] for end in below.get(item, ())) for item in upper]
        for number, left in enumerate(ends):
            for right in ends[number + 1 :]:
                count += sum(a > b for a in left for b in right)
    return count


def _ordered(
    rows: list[list[Item]],
    above: Mapping[Item, Sequence[Item]],
    below: Mapping[Item, Sequence[Item]],
) -> list[list[Item]]:
    """The order with the fewest crossings found. Layers are sorted in turns from above and from
    below, by the mean position of the items that theirs are connected with."""
    best, fewest = [list(row) for row in rows], crossings(rows, below)
    for sweep in range(SWEEPS):
        order = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for number in order:
            beside = rows[number - 1 if sweep % 2 == 0 else number + 1]
            place = {item: float(index) for index, item in enumerate(beside)}
            near = above if sweep % 2 == 0 else below
            own = {
                item: _mean([place[end] for end in near.get(item, ())], float(index))
                for index, item in enumerate(rows[number])
            }
            rows[number].sort(key=own.__getitem__)
        if (now := crossings(rows, below)) < fewest:
            best, fewest = [list(row) for row in rows], now
    return best


def _placed(
    rows: Sequence[Sequence[Item]],
    above: Mapping[Item, Sequence[Item]],
    below: Mapping[Item, Sequence[Item]],
    widths: Mapping[Item, float],
    gap: float,
) -> dict[Item, float]:
    """The middle of each item: layers are moved in turns towards the items they are connected
    with."""
    x: dict[Item, float] = {}
    for row in rows:
        x.update(
            zip(row, apart([0.0] * len(row), [1.0] * len(row), [widths[item] for item in row], gap))
        )
    for sweep in range(SWEEPS + SETTLING_SWEEPS):
        # First from one side in turns, then from both, so that neither is preferred in the end.
        sides = [(above,), (below,)][sweep % 2] if sweep < SWEEPS else (above, below)
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted, weights = [], []
            for item in row:
                pulls = [
                    (WEIGHTS[isinstance(item, Bend) + isinstance(end, Bend)], x[end])
                    for side in sides
                    for end in side.get(item, ())
                ] or [(1.0, x[item])]
                weights.append(sum(weight for weight, _ in pulls))
                wanted.append(sum(weight * place for weight, place in pulls) / weights[-1])
            x.update(zip(row, apart(wanted, weights, [widths[item] for item in row], gap)))
    return x


def apart(
    wanted: Sequence[float], weights: Sequence[float], widths: Sequence[float], gap: float
) -> list[float]:
    """Middles in the given order that overlap nowhere and, taken together, are as near to the
    wanted ones as can be (weighted least squares): neighbours that would overlap become one block,
    which moves to where its members want it on average."""
    offsets = [0.0] * len(wanted)
    for number in range(1, len(wanted)):
        offsets[number] = offsets[number - 1] + (widths[number - 1] + widths[number]) / 2 + gap
    blocks: list[Block] = []
    for want, weight, offset in zip(wanted, weights, offsets):
        blocks.append(Block(weight * (want - offset), weight, 1))
        while len(blocks) > 1 and blocks[-2].start > blocks[-1].start:
            blocks[-2:] = [blocks[-2].with_next(blocks[-1])]
    starts = [block.start for block in blocks for _ in range(block.members)]
    return [start + offset for start, offset in zip(starts, offsets)]


@frozen
class Block:
    """Neighbours that touch; `pull` is the weighted sum of the wanted positions of the first."""

    pull: float
    weight: float
    members: int

    @property
    def start(self) -> float:
        """The middle of the first."""
        return self.pull / self.weight

    def with_next(self, other: Block) -> Block:
        """One block out of two."""
        return Block(
            self.pull + other.pull, self.weight + other.weight, self.members + other.members
        )


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
