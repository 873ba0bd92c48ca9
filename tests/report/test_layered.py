"""Places for the nodes of graphs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbimg_tasks.commands.report.layered import Bend, apart, crossings, draw, layers, reduced

# Drawing takes long.
DRAWN = settings(max_examples=settings.default.max_examples // 5)
DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c", "a")}


@st.composite
def graphs(draw_from) -> dict[str, list[str]]:
    names = [f"n{number}" for number in range(draw_from(st.integers(0, 12)))]
    return {
        name: draw_from(st.lists(st.sampled_from(names[:number]), unique=True, max_size=4))
        if number
        else []
        for number, name in enumerate(names)
    }


def reachable(needs) -> set:
    found: dict[str, set] = {}
    for node, sources in needs.items():
        found[node] = set(sources).union(*(found[source] for source in sources))
    return {(source, node) for node, sources in found.items() for source in sources}


def test_an_arrow_that_a_longer_way_implies_is_left_out():
    assert reduced(DIAMOND) == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


@given(graphs())
def test_the_reduced_graph_reaches_the_same_with_no_arrow_to_spare(needs):
    fewer = reduced(needs)
    assert reachable(fewer) == reachable(needs)
    for node, sources in fewer.items():
        for source in sources:
            without = {**fewer, node: tuple(one for one in sources if one != source)}
            assert (source, node) not in reachable(without)


def test_what_is_needed_late_stands_late():
    needs = {"first": (), "b": ("first",), "c": ("b",), "late": ("first",), "last": ("c", "late")}
    assert layers(needs) == {"first": 0, "b": 1, "c": 2, "late": 2, "last": 3}


@DRAWN
@given(graphs())
def test_arrows_point_down_and_nothing_overlaps(needs):
    drawing = draw(needs, 100.0, 10.0, 20.0)
    assert set(drawing.nodes) == set(needs)
    assert {(arrow.source, arrow.target) for arrow in drawing.arrows} == {
        (source, node) for node, sources in needs.items() for source in sources
    }
    for arrow in drawing.arrows:
        assert [point.layer for point in arrow.points] == list(
            range(drawing.nodes[arrow.source].layer, drawing.nodes[arrow.target].layer + 1)
        )
        assert len(arrow.points) > 1
    for one, other in itertools.combinations(drawing.nodes.values(), 2):
        assert one.layer != other.layer or abs(one.x - other.x) >= 120 - 1e-6
    for arrow in drawing.arrows:
        for passed in arrow.points[1:-1]:
            for node in drawing.nodes.values():
                assert node.layer != passed.layer or abs(node.x - passed.x) >= 75 - 1e-6
    for node in drawing.nodes.values():
        assert 50 - 1e-6 <= node.x <= drawing.width - 50 + 1e-6


@DRAWN
@given(graphs())
def test_the_same_graph_gives_the_same_drawing(needs):
    assert draw(needs, 9, 1, 2) == draw(needs, 9, 1, 2)


def test_a_crossing_that_need_not_be_is_none():
    needs = {"a": (), "b": (), "c": ("b",), "d": ("a",)}
    places = draw(needs, 10, 1, 1).nodes
    assert (places["a"].x < places["b"].x) == (places["d"].x < places["c"].x)


def test_crossings_are_counted():
    below = {"a": ["d"], "b": ["c"], "e": ["c", "d"]}
    assert crossings([["a", "b"], ["c", "d"]], below) == 1
    assert crossings([["b", "a"], ["c", "d"]], below) == 0
    assert crossings([["a", "e"], ["c", "d"]], below) == 1


def test_a_long_arrow_is_nearly_straight_between_its_ends():
    needs = {"a": (), "b": ("a",), "c": ("b",), "d": ("c",), "e": ("d",), "f": ("e", "a")}
    (long,) = (
        arrow
        for arrow in draw(needs, 100, 8, 20).arrows
        if (arrow.source, arrow.target) == ("a", "f")
    )
    inner = [point.x for point in long.points[1:-1]]
    assert len(inner) == 4
    assert max(inner) - min(inner) < 10


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([0.0, 100.0], [0.0, 100.0]),
        ([0.0, 0.0], [-6.0, 6.0]),
        ([50.0, 0.0], [19.0, 31.0]),
        ([0.0, 0.0, 100.0], [-6.0, 6.0, 100.0]),
        ([], []),
    ],
)
def test_neighbours_move_apart_as_little_as_can_be(wanted, found):
    count = len(wanted)
    assert apart(wanted, [1.0] * count, [10.0] * count, 2.0) == pytest.approx(found)


def test_the_heavier_neighbour_moves_less():
    assert apart([0.0, 0.0], [3.0, 1.0], [10.0, 10.0], 2.0) == pytest.approx([-3.0, 9.0])


def test_nothing_to_draw():
    assert draw({}, 1, 1, 1).nodes == {}
    assert Bend("a", "b", 1) != Bend("a", "b", 2)
