"""The page as Chromium renders it, in light and dark schemes, on a desktop and a phone."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from colours import READABLE, Colour, contrast, from_hex
from PIL import Image, ImageChops
from sample_report import sample

from kbimg_tasks.commands.report import page
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.steps.layout import Layout

pytestmark = pytest.mark.image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), "chromium")
# Without these it contacts its vendor's servers.
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
SCHEMES = {"dark": 0, "light": 1}  # blink::mojom::PreferredColorScheme
WIDTHS, HEIGHT = (1280, 390), 4000


def chromium(folder: Path, *argv: str) -> str:
    return subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", *argv],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=120,
    ).stdout


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A picture of the page for each scheme and width."""
    folder = tmp_path_factory.mktemp("browser")
    page.write(sample(), Layout(folder))
    taken = {}
    for scheme, number in SCHEMES.items():
        for width in WIDTHS:
            shot = folder / f"{scheme}-{width}.png"
            chromium(
                folder,
                f"--blink-settings=preferredColorScheme={number}",
                f"--window-size={width},{HEIGHT}",
                f"--screenshot={shot}",
                f"file://{folder / 'report.html'}",
            )
            taken[scheme, width] = Image.open(shot).convert("RGB")
    return taken


def styled(scheme: str, name: str) -> Colour:
    """A colour of the style sheet."""
    light, dark = (DATA / "report/report.css").read_text().split("prefers-color-scheme: dark", 1)
    found = re.search(rf"--{name}: #(..)(..)(..);", dark if scheme == "dark" else light)
    return from_hex("".join(found.groups()))


def share(shot: Image.Image, colour: Colour) -> float:
    """The share of a picture with exactly this colour."""
    counts = shot.getcolors(shot.width * shot.height)
    return dict((found, count) for count, found in counts).get(colour, 0) / (
        shot.width * shot.height
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_has_the_colours_of_its_scheme(shots, scheme, width):
    shot = shots[scheme, width]
    assert shot.size == (width, HEIGHT)
    assert shot.getpixel((1, 1)) == styled(scheme, "page")
    assert share(shot, styled(scheme, "card")) > 0.3
    for name in ("ink", "soft", "bar", "made", "outdated", "free", "used"):
        assert share(shot, styled(scheme, name)) > 0.00002, name
    assert len(shot.getcolors(width * HEIGHT)) > 50  # letters are smoothed


@pytest.mark.parametrize("width", WIDTHS)
def test_the_schemes_differ_in_every_part_of_the_page(shots, width):
    light, dark = shots["light", width], shots["dark", width]
    assert ImageChops.difference(light, dark).convert("L").getextrema()[0] > 0
    assert sum(light.resize((1, 1)).getpixel((0, 0))) > 600
    assert sum(dark.resize((1, 1)).getpixel((0, 0))) < 150


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_no_wider_than_the_window(tmp_path, width):
    """In a frame: a window without a picture taken is 500 pixels wide at least."""
    (tmp_path / "frame.html").write_text(
        f"<!DOCTYPE html><iframe style='width:{width}px;height:900px;border:0' "
        f"srcdoc='{html.escape(page.html(sample()))}'></iframe><script>"
        "const frame = document.querySelector('iframe'); frame.onload = () => {"
        " const root = frame.contentDocument.documentElement;"
        " document.title = `${root.scrollWidth} of ${root.clientWidth}`; }</script>"
    )
    shown = chromium(
        tmp_path, "--window-size=1400,900", "--dump-dom", f"file://{tmp_path / 'frame.html'}"
    )
    needed, there = re.search(r"<title>(\d+) of (\d+)</title>", shown).groups()
    assert int(needed) == int(there)
    assert int(there) in (width, width - 15)  # a frame's scrollbar may take some


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "page"),
        ("ink", "card"),
        ("ink", "free"),
        ("ink", "used"),
        ("soft", "page"),
        ("soft", "card"),
        ("link", "page"),
        ("link", "card"),
        ("made", "made-fill"),
        ("outdated", "outdated-fill"),
        ("failed", "failed-fill"),
        ("ink", "made-fill"),
        ("ink", "outdated-fill"),
    ],
)
def test_text_can_be_told_from_its_ground(scheme, text, ground):
    assert contrast(styled(scheme, text), styled(scheme, ground)) >= READABLE
