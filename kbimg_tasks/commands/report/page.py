"""A report as one self-contained HTML file, with its style and pictures."""

from __future__ import annotations

from datetime import datetime

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kbimg_tasks.commands.report import pictures
from kbimg_tasks.commands.report.model import Report
from kbimg_tasks.host.installation import DATA
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.tools.units import MIB

TEMPLATES = DATA / "report"
PACKAGES_SHOWN = 20


def html(report: Report) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(mib=mib, seconds=seconds, moment=moment, iso=iso)
    return environment.get_template("report.html").render(
        report=report,
        graph=pictures.graph(report.stages),
        node={"width": pictures.NODE_WIDTH, "height": pictures.NODE_HEIGHT},
        strips=pictures.strips(report.disk) if report.disk else (),
        seen_percent=pictures.SEEN_PERCENT,
        bars=pictures.bars(report.run) if report.run else (),
        ticks=pictures.ticks(report.run.seconds) if report.run else (),
        packages=report.packages[:PACKAGES_SHOWN],
        installed_bytes=sum(package.installed_bytes for package in report.packages),
    )


def write(report: Report, layout: Layout) -> None:
    """Write the page atomically."""
    # A file's name need not be text.
    layout.partial_report.write_text(html(report), encoding="utf-8", errors="replace")
    layout.partial_report.replace(layout.report)


def mib(count: int) -> str:
    """Bytes in MiB, with as many digits as are significant."""
    size = count / MIB
    if 0 < size < 0.01:
        return "< 0.01 MiB"
    digits = 0 if size >= 100 or not count else 1 if size >= 1 else 2
    return f"{size:,.{digits}f} MiB"


def seconds(count: float) -> str:
    """A duration."""
    if count < 120:
        return f"{count:.1f} s"
    return f"{int(count) // 60} min {int(count) % 60:02} s"


def moment(epoch: float) -> str:
    """A date and time in this machine's time zone."""
    return _local(epoch).strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(epoch: float) -> str:
    """A date and time in ISO 8601."""
    return _local(epoch).isoformat(timespec="seconds")


def _local(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch).astimezone()
