"""The geometry of a report's pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_report import STAGES, sample

from kbimg_tasks.commands.report import pictures
from kbimg_tasks.commands.report.model import Disk, Outcome, PartitionUse, Run, Work
from kbimg_tasks.machine.partitions import plan_table

TABLES = (
    plan_table(2560, 20),
    plan_table(2560, 20, legacy=True),
    plan_table(2560, 20, verity=True),
    plan_table(1000, 2000),
    plan_table(1000, 2000, verity=True),
)


def test_the_graph_has_every_stage_within_its_edges():
    graph = pictures.graph(STAGES)
    assert [box.stage for box in graph.boxes] == list(STAGES)
    for box in graph.boxes:
        assert 0 <= box.x <= graph.width - pictures.NODE_WIDTH
        assert 0 <= box.y <= graph.height - pictures.NODE_HEIGHT
    assert {(line.source, line.target) for line in graph.lines} == {
        ("packages", "rootfs"),
        ("packages", "persist"),
        ("rootfs", "esp"),
        ("esp", "system_img"),
        ("persist", "system_img"),
        ("rootfs", "kubeos_tar"),
    }


def test_a_line_goes_from_box_to_box():
    graph = pictures.graph(STAGES)
    boxes = {box.stage.name: box for box in graph.boxes}
    for line in graph.lines:
        first, last = line.path.split()[0], line.path.split()[-1]
        x, y = map(float, first[1:].split(","))
        source, target = boxes[line.source], boxes[line.target]
        assert (x, y) == pytest.approx(
            (source.x + pictures.NODE_WIDTH / 2, source.y + pictures.NODE_HEIGHT), abs=0.1
        )
        x, y = map(float, last.split(","))
        assert (x, y) == pytest.approx(
            (target.x + pictures.NODE_WIDTH / 2, target.y - pictures.ARROWHEAD), abs=0.1
        )


def test_no_stage_no_picture():
    assert pictures.graph(()).boxes == ()


@pytest.mark.parametrize("table", TABLES)
def test_the_disk_is_to_scale_and_everything_on_it_can_be_seen(table):
    strips = pictures.strips(Disk(table, tuple(map(PartitionUse, table.partitions)), False))
    assert sum(strip.width for strip in strips) == pytest.approx(100)
    large = [strip for strip in strips if strip.width > pictures.SEEN_PERCENT + 1e-9]
    scale = {round(strip.width / strip.use.partition.size_mib, 9) for strip in large}
    assert len(scale) == 1
    assert min(strip.width for strip in strips) >= pictures.SEEN_PERCENT - 1e-9
    for left, right in zip(strips, strips[1:]):
        assert right.x == pytest.approx(left.x + left.width)
        assert right.badge - left.badge >= pictures.BADGE_PERCENT - 1e-9
    assert strips[0].badge >= pictures.BADGE_PERCENT / 2
    assert strips[-1].badge <= 100 - pictures.BADGE_PERCENT / 2


def test_three_quarters_of_a_partition_are_used():
    first, _, empty, _ = pictures.strips(sample().disk)
    assert first.filled == pytest.approx(first.width * 0.75)
    assert empty.filled == 0


def test_bars_are_where_the_work_was():
    run = Run(
        0.0,
        (
            Work("a", 0.0, 1.0, Outcome.MADE),
            Work("b", 1.0, 4.0, Outcome.MADE),
            Work("c", 4.0, 4.0, Outcome.MADE),
        ),
    )
    first, second, short = pictures.bars(run)
    assert (first.x, first.width) == (0, 25)
    assert (second.x, second.width) == (25, 75)
    assert short.width > 0
    assert short.x + short.width <= 100


def test_a_run_of_no_time():
    run = Run(0.0, (Work("a", 0.0, 0.0, Outcome.NO_END),))
    (bar,) = pictures.bars(run)
    assert 0 < bar.width <= 100
    assert pictures.ticks(run.seconds) == ()


@pytest.mark.parametrize(
    ("seconds", "marks"),
    [
        (10.6, [0, 2, 4, 6, 8, 10]),
        (6.0, [0, 1, 2, 3, 4, 5, 6]),
        (0.3, [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        (250.0, [0, 50, 100, 150, 200, 250]),
    ],
)
def test_ticks_are_round_numbers(seconds, marks):
    found = pictures.ticks(seconds)
    assert [tick.seconds for tick in found] == pytest.approx(marks)
    assert [tick.x for tick in found] == pytest.approx([100 * mark / seconds for mark in marks])


@given(st.floats(1e-6, 1e6))
def test_a_scale_has_few_marks_and_all_within(seconds):
    found = pictures.ticks(seconds)
    assert len(found) <= pictures.INTERVALS_AT_MOST + 1
    assert all(0 <= tick.x <= 100 + 1e-6 for tick in found)
