"""The page, read by an HTML parser."""

from __future__ import annotations

import os
import re
from collections import Counter

import html5lib
import pytest
from attrs import evolve
from sample_report import HOSTILE, STAGES, sample

from kbimg_tasks.commands.report import page
from kbimg_tasks.commands.report.model import Report
from kbimg_tasks.dissect.tree_sizes import Folder
from kbimg_tasks.steps.layout import Layout

NOTHING = Report("kbimg.toml", "/srv/out", 0.0, (), ())
PAGES = {
    "everything": sample(),
    "nothing": NOTHING,
    "no image": evolve(
        sample(),
        results=(),
        packages=(),
        folders=(),
        run=None,
        disk=evolve(sample().disk, was_read=False),
    ),
}
XHTML, SVG = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"


def parsed(report: Report):
    """The document; a page with invalid HTML is refused."""
    return html5lib.HTMLParser(strict=True).parse(page.html(report))


def text(element) -> str:
    return " ".join("".join(element.itertext()).split())


def rows(document, section: str) -> list:
    (found,) = (
        one for one in document.iter(f"{XHTML}section") if one.get("aria-labelledby") == section
    )
    return [[text(cell) for cell in row] for body in found.iter(f"{XHTML}tbody") for row in body]


@pytest.mark.parametrize("report", PAGES.values(), ids=PAGES.keys())
def test_well_formed_with_headings_and_named_sections(report):
    document = parsed(report)
    assert len(list(document.iter(f"{XHTML}h1"))) == 1
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert max(Counter(ids).values()) == 1
    sections = list(document.iter(f"{XHTML}section"))
    assert [one.get("aria-labelledby") for one in sections] == [
        "results",
        "stages",
        "run",
        "disk",
        "packages",
        "tree",
    ]
    for section in sections:
        assert section[0].tag == f"{XHTML}h2"
        assert section[0].get("id") == section.get("aria-labelledby")
    assert document.get("lang") == "en"
    for table in document.iter(f"{XHTML}table"):
        for header in table.iter(f"{XHTML}th"):
            assert header.get("scope")
            assert text(header)
        columns = len(table.find(f"{XHTML}thead/{XHTML}tr"))
        for row in table.iter(f"{XHTML}tr"):
            assert sum(int(cell.get("colspan", "1")) for cell in row) == columns


@pytest.mark.parametrize("report", PAGES.values(), ids=PAGES.keys())
def test_nothing_from_outside(report):
    document = parsed(report)
    ids = {element.get("id") for element in document.iter()}
    for element in document.iter():
        assert element.tag not in {
            f"{XHTML}{name}" for name in ("script", "link", "img", "iframe", "object", "base")
        }
        assert not any(name in element.attrib for name in ("src", "srcset", "data", "action"))
        reference = element.get("href")
        assert reference is None or (reference[0] == "#" and reference[1:] in ids)
    raw = page.html(report)
    assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:)?//|@import", raw)
    assert {url.strip("\"'") for url in re.findall(r"url\(([^)]*)\)", raw)} <= {"#arrowhead"}


def test_names_are_escaped():
    assert HOSTILE not in page.html(sample())
    document = parsed(sample())
    assert HOSTILE in text(document.find(f"{XHTML}head/{XHTML}title"))
    assert f"/srv/{HOSTILE}" in [text(code) for code in document.iter(f"{XHTML}code")]
    assert any(HOSTILE in text(title) for title in document.iter(f"{SVG}title"))
    assert [f"/usr/{HOSTILE}", "300 MiB", ""] in rows(document, "tree")


def test_the_graph_names_each_stage_with_state_time_and_summary():
    document = parsed(sample())
    (graph,) = (one for one in document.iter(f"{SVG}svg") if one.get("class") == "graph")
    nodes = list(graph.iter(f"{SVG}a"))
    assert [node.get("href") for node in nodes] == [f"#stage-{stage.name}" for stage in STAGES]
    titles = [text(node.find(f"{SVG}title")) for node in nodes]
    assert titles[0] == "packages: which packages; made, took 0.6 s"
    assert titles[4] == "system_img: the disk; outdated, took 2 min 03 s"
    assert titles[5].endswith("; not made")
    assert [node.get("class") for node in nodes][-2:] == ["stage outdated", "stage not_made"]
    assert len(graph.findall(f"{SVG}g/{SVG}path")) == 6


def test_the_tables():
    document = parsed(sample())
    assert rows(document, "results") == [
        ["system.img", "20,480 MiB", "600 MiB"],
        ["no checksum: the file is too large to be read for a report"],
        ["kubeos.tar", "500 MiB", "500 MiB"],
        ["ab" * 32],
    ]
    assert rows(document, "stages")[2] == ["esp the ESP; needs packages, rootfs", "made", "0.2 s"]
    assert rows(document, "run") == [
        ["packages", "0.0 s", "0.6 s", ""],
        ["rootfs", "0.6 s", "2.8 s", ""],
        ["persist failed", "0.6 s", "0.0 s", ""],
        ["system_img interrupted, or at work", "3.4 s", "–", ""],
    ]
    disk = rows(document, "disk")
    assert disk[0] == ["1", "BOOT vfat, at /boot/efi", "1 MiB", "59 MiB", "44.2 MiB 75 %", ""]
    assert disk[2] == ["3", "ROOT-B empty", "2,620 MiB", "2,560 MiB", "–", ""]
    assert len(rows(document, "packages")) == page.PACKAGES_SHOWN
    assert rows(document, "packages")[0] == ["package-0-1.x86_64", "40.0 MiB", ""]
    assert "40 packages take 820 MiB" in text(document)


def test_what_is_not_there_is_said():
    said = text(parsed(NOTHING))
    for words in (
        "Nothing has been built here yet.",
        "No run that made anything",
        "This configuration makes no disk.",
        "No packages have been resolved here.",
        "kubeos.tar does not exist.",
    ):
        assert words in said
    assert "this is the planned layout" in text(parsed(PAGES["no image"]))


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 MiB"),
        (5000, "< 0.01 MiB"),
        (1 << 19, "0.50 MiB"),
        (1536 << 10, "1.5 MiB"),
        (150 << 20, "150 MiB"),
        (20480 << 20, "20,480 MiB"),
    ],
)
def test_mib(count, shown):
    assert page.mib(count) == shown


def test_a_name_that_is_no_text(tmp_path):
    name = os.fsdecode(b"/usr/\xff")
    page.write(evolve(NOTHING, folders=(Folder("/", 0, 1), Folder(name, 1, 1))), Layout(tmp_path))
    assert "/usr/?" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_page_is_whole_or_absent(tmp_path, monkeypatch):
    page.write(NOTHING, Layout(tmp_path))
    before = (tmp_path / "report.html").read_text()
    with pytest.raises(AttributeError):
        page.write(evolve(NOTHING, stages=("no stage",)), Layout(tmp_path))
    assert (tmp_path / "report.html").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
