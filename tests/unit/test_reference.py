"""The generated files: they match the code, and their content is right."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tomli
from building import TOP
from colours import READABLE, contrast, from_hex

from docs.generator import commands, configuration, influence, picture, stages
from docs.generator.pages import pages
from kbimg_tasks.cli import main
from kbimg_tasks.commands.report import pictures
from kbimg_tasks.config.document import Document
from kbimg_tasks.config.files import Files
from kbimg_tasks.config.model import ARRAYS
from kbimg_tasks.config.reader import Reader
from kbimg_tasks.session.request import KNOWN, Variables

SVG = TOP / "docs/graph.svg"


@pytest.fixture(scope="module")
def tables():
    return configuration.tables()


@pytest.fixture(scope="module")
def drawn():
    return picture.picture()


def test_the_files_are_as_the_code_is():
    found = pages()
    assert len(found) == 4
    outdated = [path for path, text in found.items() if path.read_text(encoding="utf-8") != text]
    assert not outdated, "run python -m docs.generator"


def test_every_option_has_an_effect_and_an_example(tables):
    found = {
        f"{table.name}.{option}"
        for table in tables
        for effect in table.effects
        for option in effect.options
    }
    assert found == set(influence.options())
    shown = {
        f"{name}.{option.name}"
        for name, text in configuration.examples().items()
        for table in tables
        if table.name == name
        for option in table.options
        if re.search(rf"^(# )?{option.name} = ", text, re.M)
    }
    assert shown == set(influence.options())


def test_examples_are_right():
    for name, text in configuration.examples().items():
        reader = Reader(Document(), Files(Path("/"), Path("/")), ())
        reader.tables(tomli.loads(text))
        assert not reader.problems, reader.problems
        assert text.startswith(f"[[{name}]]" if name in ARRAYS else f"[{name}]")


def test_values_are_told_as_complaints_tell_them(tables):
    found = {
        option.name: option
        for table in tables
        if table.name == "from_repo"
        for option in table.options
    }
    assert found["rpmlist"].value == "a list of package names, one or more"
    assert found["rpmlist"].is_required and not found["rpmlist"].default
    assert found["legacy_bios"].value == "true or false"
    assert found["legacy_bios"].default == "false"
    assert found["root_passwd"].is_secret


def test_what_every_tree_makes_again_is_told_once():
    assert configuration.short(("customised", *configuration.tree_results())) == ("customised", "")
    assert configuration.short(("persist", "system_img")) == ("persist", "system_img")


def test_every_verb_and_word_is_told():
    found = {verb.name: verb for verb in commands.verbs()}
    listed = re.findall(r"^    (\w+)", main.parser().format_help(), re.M)
    assert "diff" in listed and list(found) == ["kbimg", *(f"kbimg {verb}" for verb in listed)]
    assert found["kbimg plan"].usage == "kbimg plan [-f FILE] IMAGE_TYPE [NAME=VALUE …]"
    assert found["kbimg create"].usage.startswith("kbimg create -f FILE [-v 0|1|2] IMAGE_TYPE")
    assert found["kbimg diff"].usage == "kbimg diff OLD NEW [--json] [--all]"
    assert ("--memory MIB", "memory of the machine in MiB (default: 2048)") in found[
        "kbimg boot"
    ].words


def test_defaults_that_are_told_are_those_that_hold(tmp_path: Path):
    asked = Variables.of((), tmp_path)
    for name, value in (
        ("config", asked.config),
        ("out", asked.layout.out.name),
        ("cache", asked.layout.cache),
        ("engine", asked.engine),
        ("store_gib", f"{asked.layout.store_gib:g}"),
        ("image", asked.image),
    ):
        assert f"default: {value}" in KNOWN[name].meaning


def test_stages_of_every_kind_of_image():
    first, *others = stages.variants()
    found = {row.name: row for row in first.stages}
    assert found["system_img"].results == ("system.img",)
    assert found["rootfs"].images == ("vm_img", "pxe_img", "upgrade_img")
    assert found["rootfs"].between[0] == "rootfs/"
    assert [
        {row.name for row in other.stages} & {"grub2", "signatures", "unpacked", "admin_archive"}
        for other in others
    ] == [{"grub2"}, {"signatures"}, {"unpacked"}, {"admin_archive"}]


def boxes(drawn):
    for part in drawn.parts:
        for node in part.nodes:
            yield node, node.x + part.x, node.y + part.y


def test_the_picture_has_every_stage_once_and_no_two_boxes_touch(drawn):
    planned = stages.usual()
    wanted = {stage.name for stage in planned.stages if stages.images_of(stage, planned)}
    names = [node.name for node, _, _ in boxes(drawn)]
    assert sorted(names) == sorted(wanted | set(planned.images))
    for (_, x, y), (_, other_x, other_y) in combinations(boxes(drawn), 2):
        assert (
            abs(x - other_x) >= pictures.NODE_WIDTH + 4
            or abs(y - other_y) >= pictures.NODE_HEIGHT + 4
        )
    assert all(
        0 <= x <= drawn.width - drawn.box_width and 0 <= y <= drawn.height - drawn.box_height
        for _, x, y in boxes(drawn)
    )


def test_arrows_are_needs(drawn):
    planned = stages.usual()
    needs = {stage.name: {need.stage for need in stage.needs()} for stage in planned.stages}
    needs.update({image: {stage.name for stage in made} for image, made in planned.images.items()})
    lines = [line for part in drawn.parts for line in part.lines]
    assert len(lines) > 25
    assert all(line.source in needs[line.target] for line in lines)


def test_names_fit_into_their_boxes(drawn):
    """A letter of the monospaced font is 0.6 as wide as it is high."""
    style = SVG.read_text()
    sizes = {
        kind: float(re.search(rf"\.{kind} {{ font-size: ([\d.]+)px", style)[1])
        for kind in ("name", "files")
    }
    for node, _, _ in boxes(drawn):
        assert len(node.name) * 0.6 * sizes["name"] < pictures.NODE_WIDTH
        assert len(node.files) * 0.6 * sizes["files"] < pictures.NODE_WIDTH


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_stands_in_boxes_can_be_read(drawn, scheme):
    light, dark = SVG.read_text().split("prefers-color-scheme: dark", 1)
    found = {
        name: from_hex(value)
        for name, value in re.findall(r"--(\w+): #(\w{6});", dark if scheme == "dark" else light)
    }
    for owner in drawn.owners:
        for text in ("ink", "soft"):
            assert contrast(found[text], found[owner]) >= READABLE, (text, owner)


def test_the_picture_is_xml_without_parts_elsewhere():
    root = ElementTree.parse(SVG).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"(href|src)=|@import|url\((?!#)", SVG.read_text())
